import { randomUUIDv7 } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import type { ThreadId } from "@loom/core";
import { notSaved } from "./errors.ts";
import { decodeRecord, encodeRecord, THREAD_FORMAT, type ThreadHeader } from "./record.ts";
import { readLines } from "./thread-lines.ts";
import { checkHeader } from "./thread-reader.ts";

const BATCH_BYTES = 1024 * 1024;

/**
 * Copies what a thread holds up to now into a new one, whose header says where it comes from. Works while another
 * process writes the thread. Long outputs are shared, not copied. The new file is whole on disk, or not there.
 * @throws ThreadError `thread_damaged`, `thread_too_new`, `thread_not_saved`.
 */
export function forkThread(
  source: string,
  { fileOf, now }: { readonly fileOf: (id: ThreadId) => string; readonly now: number },
): ThreadId {
  const id: ThreadId = `T-${randomUUIDv7()}`;
  const file = fileOf(id);
  const temporary = `${file}.new`;
  const lines = wholeLines(source);
  const origin = checkHeader(source, decodeRecord(lines[0]?.toString("utf8") ?? ""));
  const header: ThreadHeader = {
    ...origin,
    v: THREAD_FORMAT,
    id,
    createdAt: new Date(now).toISOString(),
    forkedFrom: { id: origin.id, version: lines.length },
  };
  try {
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      writeAll(descriptor, [Buffer.from(encodeRecord(header)), ...lines.slice(1)]);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw notSaved(file, error);
  }
  return id;
}

/** With their newlines. A last line that is no record was torn by a crash, and is left out. */
function wholeLines(file: string): Buffer[] {
  const lines = Array.from(readLines(file), ({ bytes }) => Buffer.concat([bytes, Buffer.from("\n")]));
  const last = lines.at(-1);
  if (lines.length > 1 && last !== undefined && decodeRecord(last.toString("utf8")) === undefined) lines.pop();
  return lines;
}

function writeAll(descriptor: number, parts: readonly Buffer[]): void {
  let batch: Buffer[] = [];
  let size = 0;
  const flush = () => {
    const bytes = Buffer.concat(batch);
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
    batch = [];
    size = 0;
  };
  for (const part of parts) {
    batch.push(part);
    size += part.length;
    if (size >= BATCH_BYTES) flush();
  }
  flush();
}
