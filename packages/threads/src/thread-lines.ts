import { isUtf8 } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { decodeRecord, type ThreadRecord } from "./record.ts";

/** One whole line of a thread's file; `bytes` is without its newline and only good until the next line is asked for. */
export type ThreadLine = { readonly position: number; readonly bytes: Buffer };

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/**
 * The whole lines of a file from the byte `position` on, which has to be the beginning of one. What follows the last
 * newline is not given. Holds one chunk, or one line where that is longer. @throws Node's own error.
 */
export function* readLines(file: string, position = 0): Generator<ThreadLine, void> {
  const descriptor = openSync(file, "r");
  try {
    // One byte more than there is to read, so that a short file needs no second buffer to find its end.
    const expected = Math.max(0, fstatSync(descriptor).size - position) + 1;
    let buffer: Buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, expected));
    /** Where `buffer` begins in the file, how much of it is filled. */
    let base = position;
    let filled = 0;
    for (;;) {
      if (filled === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length);
      const read = readSync(descriptor, buffer, filled, buffer.length - filled, base + filled);
      if (read === 0) return;
      const scanFrom = filled;
      filled += read;
      let start = 0;
      const content = buffer.subarray(0, filled);
      for (let end = content.indexOf(NEWLINE, scanFrom); end !== -1; end = content.indexOf(NEWLINE, start)) {
        yield { position: base + start, bytes: content.subarray(start, end) };
        start = end + 1;
      }
      buffer.copyWithin(0, start, filled);
      base += start;
      filled -= start;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The record of one line, as `decodeRecord`. Bytes that are no UTF-8 are damage, however well the rest reads. */
export function recordIn(bytes: Buffer): ThreadRecord | "unknown" | undefined {
  return textAndRecordIn(bytes)?.record;
}

/** As `recordIn`, with the line as text. */
export function textAndRecordIn(
  bytes: Buffer,
): { readonly text: string; readonly record: ThreadRecord | "unknown" } | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString("utf8");
  const record = decodeRecord(text);
  return record && { text, record };
}

const TAIL_BYTES = 64 * 1024;

/** Where the last whole line of a file ends: behind its newline; 0 where there is none. */
export function endOfLastLine(file: string): number {
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(TAIL_BYTES);
    for (let end = fstatSync(descriptor).size; end > 0; ) {
      const start = Math.max(0, end - TAIL_BYTES);
      const read = readSync(descriptor, buffer, 0, end - start, start);
      const newline = buffer.subarray(0, read).lastIndexOf(NEWLINE);
      if (newline !== -1) return start + newline + 1;
      end = start;
    }
    return 0;
  } finally {
    closeSync(descriptor);
  }
}
