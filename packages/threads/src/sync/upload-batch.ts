import { ANCHOR_BYTES, anchorOfBytes } from "../index/anchor.ts";
import { outputsNamedIn } from "../stored-outputs.ts";
import { readLines } from "../thread-lines.ts";
import { addToDigest } from "./digest-chain.ts";
import type { RecordPoint } from "./record-point.ts";

/** Well below what a server takes in one request. */
export const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_RECORDS = 2_000;

/** Records that go to a server in one request. */
export class UploadBatch {
  readonly records: string[] = [];
  /** Long outputs that they refer to. */
  readonly outputs = new Set<string>();
  readonly #from: RecordPoint;
  readonly #maxBytes: number;
  #end: RecordPoint;

  constructor(from: RecordPoint, maxBytes = MAX_BATCH_BYTES) {
    this.#from = from;
    this.#maxBytes = maxBytes;
    this.#end = from;
  }

  /** The place behind them. */
  get end(): RecordPoint {
    return this.#end;
  }

  get bytes(): number {
    return this.#end.position - this.#from.position;
  }

  /**
   * Takes the next record, unless there is no room for it; the first one always has room. The first batch of a thread ends
   * in front of the first record that refers to an output: outputs go ahead of the records that need them, and need a thread
   * to go to.
   */
  take(text: string, end: RecordPoint): boolean {
    const isFirst = this.records.length === 0;
    const size = end.position - this.#from.position;
    if (!isFirst && (size > this.#maxBytes || this.records.length === MAX_BATCH_RECORDS)) return false;
    const named = outputsNamedIn(text);
    if (this.#from.version === 0 && !isFirst && named.length > 0) return false;
    for (const sha256 of named) this.outputs.add(sha256);
    this.records.push(text);
    this.#end = end;
    return true;
  }

  /** Fingerprint of the bytes in front of its end, as `anchorAt` gives; `undefined` where they are not all in it. */
  anchor(): string | undefined {
    const wanted = Math.min(ANCHOR_BYTES, this.#end.position);
    if (this.bytes < wanted) return undefined;
    const lines: Buffer[] = [];
    let size = 0;
    for (let index = this.records.length - 1; size < wanted && index >= 0; index--) {
      const line = Buffer.from(`${this.records[index]}\n`);
      lines.unshift(line);
      size += line.length;
    }
    return anchorOfBytes(Buffer.concat(lines).subarray(size - wanted));
  }
}

/** The next records of a file to be sent, up to `to`, as far as a survey has found all to be sound. */
export function nextBatch(file: string, from: RecordPoint, to: RecordPoint): UploadBatch {
  const batch = new UploadBatch(from);
  for (const { bytes, position } of readLines(file, from.position)) {
    const text = bytes.toString("utf8");
    const { version, digest } = batch.end;
    const end = {
      version: version + 1,
      digest: addToDigest(digest, text),
      position: position + bytes.length + 1,
    };
    if (!batch.take(text, end) || end.version === to.version) break;
  }
  return batch;
}
