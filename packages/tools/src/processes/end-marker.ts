/**
 * Finds the end of a command's output in the pipe that carries it. Once the command has ended, we write a marker behind
 * everything that it has written; what follows comes from processes left in the background. Nobody can know the marker
 * beforehand.
 */
export class EndMarker {
  /** Whether the marker has passed. */
  passed = false;
  readonly #marker: Buffer;
  #held: Buffer = EMPTY;

  constructor(marker: Buffer) {
    this.#marker = marker;
  }

  /** The part of `chunk` that is known to be output. Holds back what could be the beginning of the marker. */
  push(chunk: Buffer): Buffer {
    if (this.passed) return EMPTY;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const at = bytes.indexOf(this.#marker);
    this.passed = at !== -1;
    const end = this.passed ? at : this.#startedAt(bytes);
    this.#held = this.passed ? EMPTY : bytes.subarray(end);
    return bytes.subarray(0, end);
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

const EMPTY: Buffer = Buffer.alloc(0);
