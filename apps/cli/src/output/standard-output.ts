/** More than this waiting for a reader means that nobody reads. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/**
 * Standard output in batches: what is written in one go of the event loop leaves in one piece. A reader that goes away
 * (EPIPE) is told to `onClosed` once, and what is written afterwards is dropped.
 */
export class StandardOutput {
  readonly #onClosed: () => void;
  #waiting: string[] = [];
  #closed = false;

  constructor(onClosed: () => void) {
    this.#onClosed = onClosed;
    process.stdout.removeAllListeners("error");
    process.stdout.on("error", () => this.#close());
  }

  write(text: string): void {
    if (this.#closed || text === "") return;
    this.#waiting.push(text);
    if (this.#waiting.length === 1) queueMicrotask(() => this.#send());
  }

  /** Hands on now what was written, before something else writes to the same terminal. */
  push(): void {
    this.#send();
  }

  /** Resolves when everything is written or nobody reads any more; waits no longer than `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    this.#send();
    if (this.#closed || process.stdout.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      process.stdout.write("", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #send(): void {
    const text = this.#waiting.join("");
    this.#waiting = [];
    if (this.#closed || text === "") return;
    process.stdout.write(text);
    if (process.stdout.writableLength > MAX_WAITING_BYTES) this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClosed();
  }
}
