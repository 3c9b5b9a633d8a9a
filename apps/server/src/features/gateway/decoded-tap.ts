import type { Transform } from "node:stream";
import type { UsageTap } from "./usage-tap/tap-reading.ts";

/** What is looked at of an answer that was compressed; a small one can hold a very large one. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024;
const DECODING_MS = 5_000;

export type DecodedListener = {
  /** What the answer begins with. Once, if it comes to that. */
  onBeginning(chunk: Buffer): void;
  /** Nothing more is looked at; whoever waits for the decoder waits in vain. */
  onGivenUp(): void;
};

/** Lets a tap see what is inside a compressed answer; the client gets it as it came. */
export class DecodedTap {
  readonly decoder: Transform;
  readonly #listener: DecodedListener;
  #seen = 0;
  #over = false;
  #stopped = false;
  /** There was more than is looked at, or too little time. */
  isCurtailed = false;

  constructor(tap: Pick<UsageTap, "push">, decoder: Transform, listener: DecodedListener) {
    this.decoder = decoder;
    this.#listener = listener;
    decoder.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      if (this.#seen === 0) listener.onBeginning(chunk);
      this.#seen += chunk.length;
      this.isCurtailed = this.#seen > MAX_DECODED_BYTES;
      if (this.isCurtailed) this.#giveUp();
      else tap.push(chunk);
    });
    decoder.on("error", () => this.#giveUp());
  }

  /** `false`: it has enough for now, and its decoder will say `drain`. */
  push(chunk: Buffer): boolean {
    return this.#over || this.decoder.write(chunk);
  }

  /** Calls back once the tap has seen everything, or as much as it will; not where it is stopped meanwhile. */
  end(done: () => void): void {
    if (this.#over) {
      done();
      return;
    }
    const timer = setTimeout(() => {
      this.isCurtailed = true;
      this.#giveUp();
    }, DECODING_MS);
    this.decoder.once("close", () => {
      clearTimeout(timer);
      if (!this.#stopped) done();
    });
    this.decoder.end();
  }

  /** The tap sees nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#giveUp();
  }

  #giveUp(): void {
    if (this.#over) return;
    this.#over = true;
    this.decoder.destroy();
    this.#listener.onGivenUp();
  }
}
