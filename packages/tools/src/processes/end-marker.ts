/**
 * Finds the end of a command's output in the stream that carries it. The wrapper shell writes a marker and the exit
 * code behind everything that the command itself has written; what follows comes from processes left in the background.
 */
export class EndMarker {
  /** Exit code of the command, once the marker has passed. */
  exitCode: number | undefined;
  readonly #marker: Buffer;
  #held: Buffer = Buffer.alloc(0);

  constructor(marker: string) {
    this.#marker = Buffer.from(marker);
  }

  /** The part of `chunk` that is known to be output. Holds back what could be the beginning of the marker. */
  push(chunk: Buffer): Buffer {
    if (this.exitCode !== undefined) return EMPTY;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const at = bytes.indexOf(this.#marker);
    if (at === -1) {
      const held = this.#startedAt(bytes);
      this.#held = bytes.subarray(held);
      return bytes.subarray(0, held);
    }
    const rest = bytes.subarray(at + this.#marker.length);
    const end = rest.indexOf(LINE_FEED);
    if (end === -1) {
      this.#held = bytes.subarray(at);
      return bytes.subarray(0, at);
    }
    this.exitCode = Number(rest.subarray(0, end).toString());
    this.#held = EMPTY;
    return bytes.subarray(0, at);
  }

  /** What was held back, when the stream ended without a marker. */
  end(): Buffer {
    const held = this.#held;
    this.#held = EMPTY;
    return held;
  }

  /** Where a marker could have begun that is not whole yet. */
  #startedAt(bytes: Buffer): number {
    const from = Math.max(0, bytes.length - this.#marker.length + 1);
    for (let at = from; at < bytes.length; at += 1) {
      if (this.#marker.subarray(0, bytes.length - at).equals(bytes.subarray(at))) return at;
    }
    return bytes.length;
  }
}

const LINE_FEED = 10;
const EMPTY: Buffer = Buffer.alloc(0);
