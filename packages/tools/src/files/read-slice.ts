import { createHash } from "node:crypto";
import { read } from "node:fs";
import { promisify } from "node:util";
import { throwIfStopped } from "../failure.ts";
import type { FileSlice, ReadOptions } from "./operations.ts";
import { MAX_EDIT_BYTES } from "./operations.ts";

const readChunk = promisify(read);
const CHUNK_BYTES = 262_144;
const LINE_FEED = 10;

type Slice = Pick<FileSlice, "bytes" | "truncated" | "size" | "lineCount" | "version">;

/**
 * Reads lines of an open file in one pass, with memory for `maxBytes` and one chunk. The whole file is read where it is
 * small enough to be hashed; of a larger one no more than needed.
 */
export async function readSlice(fd: number, sizeHint: number, options: ReadOptions): Promise<Slice> {
  const { startLine, maxBytes, signal } = options;
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(sizeHint + 1, 4096)));
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let total = 0;
  let lineBreaks = 0;
  let endsWithLineBreak = true;
  let truncated = false;
  let hash = sizeHint <= MAX_EDIT_BYTES ? createHash("sha256") : undefined;

  while (true) {
    throwIfStopped(signal);
    const { bytesRead } = await readChunk(fd, chunk, 0, chunk.length, total);
    if (bytesRead === 0) break;
    const bytes = chunk.subarray(0, bytesRead);
    total += bytesRead;
    endsWithLineBreak = bytes.at(-1) === LINE_FEED;
    // It may grow while it is read.
    if (total > MAX_EDIT_BYTES) hash = undefined;
    hash?.update(bytes);

    const { breaks, start } = scanLines(bytes, startLine - 1 - lineBreaks);
    lineBreaks += breaks;
    if (start !== undefined) {
      const piece = bytes.subarray(start, start + maxBytes - keptBytes);
      truncated ||= piece.length < bytes.length - start;
      kept.push(Buffer.from(piece));
      keptBytes += piece.length;
    }
    if (truncated && hash === undefined) break;
  }

  const size = truncated ? Math.max(sizeHint, total) : total;
  const lineCount = lineBreaks + (endsWithLineBreak ? 0 : 1);
  const slice = { bytes: Buffer.concat(kept), truncated, size, lineCount };
  return hash === undefined ? slice : { ...slice, version: hash.digest("base64url") };
}

/** Version of a content, the same that reading it gives. */
export function versionOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url");
}

/** Counts line breaks, and finds where the bytes after the first `skip` of them begin. */
function scanLines(bytes: Buffer, skip: number): { breaks: number; start: number | undefined } {
  let breaks = 0;
  let start = skip <= 0 ? 0 : undefined;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) {
    breaks += 1;
    if (breaks === skip) start = at + 1;
  }
  return { breaks, start };
}
