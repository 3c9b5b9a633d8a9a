import type { Socket } from "node:net";
import type { RequestFraming } from "./request-head.ts";

/** Sends a body as it comes, no faster than the other side takes it. */
export class RequestBody {
  readonly #source: NodeJS.ReadableStream;
  readonly #socket: Socket;
  readonly #framing: RequestFraming;
  readonly #failed: (error: Error) => void;
  #sent = 0;
  #over = false;

  /** `failed`: the body has not come whole; what was sent of it is no request. */
  constructor(
    source: NodeJS.ReadableStream,
    { socket, framing, failed }: { socket: Socket; framing: RequestFraming; failed: (error: Error) => void },
  ) {
    this.#source = source;
    this.#socket = socket;
    this.#framing = framing;
    this.#failed = failed;
    source.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onBreak).on("close", this.#onBreak);
    socket.on("drain", this.#onDrain);
    // It broke off while the connection was made, and will not say so again.
    if (!source.readable) process.nextTick(this.#onBreak);
  }

  /** Whether all of it has been handed to the connection. */
  get isOver(): boolean {
    return this.#over;
  }

  stop(): void {
    if (!this.#over) this.#source.pause();
    this.#over = true;
    this.#source
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onBreak)
      .off("close", this.#onBreak);
    this.#socket.off("drain", this.#onDrain);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (chunk.length === 0) return;
    this.#sent += chunk.length;
    if (this.#framing.type === "length" && this.#sent > this.#framing.bytes) {
      this.#onBreak();
      return;
    }
    let isTaken: boolean;
    if (this.#framing.type === "chunked") {
      this.#socket.cork();
      this.#socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
      this.#socket.write(chunk);
      isTaken = this.#socket.write("\r\n", "latin1");
      this.#socket.uncork();
    } else isTaken = this.#socket.write(chunk);
    if (!isTaken) this.#source.pause();
  };

  readonly #onDrain = (): void => void this.#source.resume();

  readonly #onEnd = (): void => {
    if (this.#framing.type === "length" && this.#sent !== this.#framing.bytes) {
      this.#onBreak();
      return;
    }
    if (this.#framing.type === "chunked") this.#socket.write("0\r\n\r\n", "latin1");
    this.#over = true;
    this.stop();
  };

  readonly #onBreak = (): void => {
    if (this.#over) return;
    this.stop();
    this.#failed(Object.assign(new Error("The request's body did not come whole."), { code: "ECONNRESET" }));
  };
}
