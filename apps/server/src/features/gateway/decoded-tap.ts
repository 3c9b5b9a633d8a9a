import type { Transform } from "node:stream";
import type { UsageTap } from "./usage-tap.ts";

/** What is looked at of an answer that was compressed; a small one can hold a very large one. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024;
const DECODING_MS = 5_000;

/** Lets a tap see what is inside a compressed answer; the client gets it as it came. */
export class DecodedTap {
  readonly #decoder: Transform;
  #seen = 0;
  #over = false;
  #stopped = false;

  constructor(tap: UsageTap, decoder: Transform) {
    this.#decoder = decoder;
    decoder.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      this.#seen += chunk.length;
      if (this.#seen > MAX_DECODED_BYTES) this.#giveUp();
      else tap.push(chunk);
    });
    decoder.on("error", () => this.#giveUp());
  }

  push(chunk: Buffer): void {
    if (!this.#over) this.#decoder.write(chunk);
  }

  /** Calls back once the tap has seen everything, or as much as it will; not where it is stopped meanwhile. */
  end(done: () => void): void {
    if (this.#over) {
      done();
      return;
    }
    const timer = setTimeout(() => this.#decoder.destroy(), DECODING_MS);
    this.#decoder.once("close", () => {
      clearTimeout(timer);
      if (!this.#stopped) done();
    });
    this.#decoder.end();
  }

  /** The tap sees nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#giveUp();
  }

  #giveUp(): void {
    this.#over = true;
    this.#decoder.destroy();
  }
}
