import { outputsNamedIn } from "../stored-outputs.ts";
import { readLines } from "../thread-lines.ts";
import { addToDigest } from "./digest-chain.ts";
import type { RecordPoint } from "./survey.ts";

/** Well below what a server takes in one request. */
const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_RECORDS = 2_000;

export type UploadBatch = {
  readonly records: readonly string[];
  /** Long outputs that they refer to. */
  readonly outputs: ReadonlySet<string>;
  readonly end: RecordPoint;
};

/**
 * The next records of a file to be sent, up to `to`, as far as a survey has found all to be sound. The first batch of a thread ends in front of the first record that
 * refers to an output: outputs go ahead of the records that need them, and need a thread to go to.
 */
export function nextBatch(file: string, from: RecordPoint, to: RecordPoint): UploadBatch {
  const records: string[] = [];
  const outputs = new Set<string>();
  let end = from;
  let size = 0;
  for (const { bytes, position } of readLines(file, from.position)) {
    if (records.length > 0 && (size + bytes.length > MAX_BATCH_BYTES || records.length === MAX_BATCH_RECORDS)) break;
    const text = bytes.toString("utf8");
    const named = outputsNamedIn(text);
    if (from.version === 0 && records.length > 0 && named.length > 0) break;
    for (const sha256 of named) outputs.add(sha256);
    records.push(text);
    size += bytes.length;
    end = {
      version: end.version + 1,
      digest: addToDigest(end.digest, bytes),
      position: position + bytes.length + 1,
    };
    if (end.version === to.version) break;
  }
  return { records, outputs, end };
}
