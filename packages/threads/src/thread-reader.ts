import { readFileSync } from "node:fs";
import { systemCode, ThreadError } from "./errors.ts";
import type { OutputStore } from "./output-store.ts";
import { THREAD_FORMAT, type ThreadHeader, type ThreadRecord } from "./record.ts";
import { restoreOutputs } from "./stored-outputs.ts";
import { recordIn } from "./thread-lines.ts";

export type NumberedRecord = { readonly line: number; readonly record: Exclude<ThreadRecord, ThreadHeader> };

export type ThreadFile = {
  readonly header: ThreadHeader;
  readonly records: readonly NumberedRecord[];
  /** Bytes of whole records. What follows them was torn by a crash and is cut off before the next append. */
  readonly goodBytes: number;
  readonly torn: boolean;
};

const NEWLINE = 0x0a;

/**
 * All records of a thread's file. A last record that was not written to its end is left out.
 * @throws ThreadError `thread_not_found`, `thread_damaged` (names file and line), `thread_too_new`.
 */
export function readThreadFile(file: string, outputs: OutputStore): ThreadFile {
  const bytes = readBytes(file);
  const records: NumberedRecord[] = [];
  let header: ThreadHeader | undefined;
  let goodBytes = 0;
  for (let line = 1; goodBytes < bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, goodBytes);
    const end = newline === -1 ? bytes.length : newline + 1;
    const record = newline === -1 ? undefined : recordIn(bytes.subarray(goodBytes, newline));
    if (record === undefined) {
      if (end === bytes.length && header !== undefined) break;
      throw damaged(file, line, "is not a record of a thread");
    }
    if (header === undefined) header = checkHeader(file, record);
    else if (record !== "unknown") {
      if (record.type === "thread") throw damaged(file, line, "is a second header");
      records.push({ line, record: restoreOutputs(record, outputs) });
    }
    goodBytes = end;
  }
  if (header === undefined) throw damaged(file, 1, "is missing");
  return { header, records, goodBytes, torn: goodBytes < bytes.length };
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") throw new ThreadError("thread_not_found", `There is no thread at ${file}.`);
    const why = error instanceof Error ? error.message : String(error);
    throw new ThreadError("thread_damaged", `The thread at ${file} cannot be read: ${why}.`, { cause: error });
  }
}

/** The header, if the first line is one that this version understands. */
export function checkHeader(file: string, record: ThreadRecord | "unknown" | undefined): ThreadHeader {
  if (record === undefined || record === "unknown" || record.type !== "thread") {
    throw damaged(file, 1, "is not the header of a thread");
  }
  if (record.v > THREAD_FORMAT) {
    const message = `${file} was written by a newer Loom (format ${record.v}); this one reads up to ${THREAD_FORMAT}.`;
    throw new ThreadError("thread_too_new", `${message} Update Loom to open it.`);
  }
  return record;
}

export function damaged(file: string, line: number, what: string, cause?: unknown): ThreadError {
  const message = `The thread is damaged: line ${line} of ${file} ${what}. Repair that line to go on with it; loom threads show reads the rest.`;
  return new ThreadError("thread_damaged", message, { cause });
}
