import type { ServerResponse } from "node:http";

/** Tells a client that left early from an exchange that came to its end. */
export class ConnectionWatch {
  readonly whenAborted: Promise<void>;
  #aborted = false;
  #endedHere = false;

  constructor(response: ServerResponse) {
    this.whenAborted = new Promise((resolve) => {
      response.once("close", () => {
        if (response.writableFinished || this.#endedHere) return;
        this.#aborted = true;
        resolve();
      });
    });
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  /** What closes now is closed by the server. */
  endHere(): void {
    this.#endedHere = true;
  }
}
