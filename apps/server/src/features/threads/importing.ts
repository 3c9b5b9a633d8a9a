import { isUtf8 } from "node:buffer";
import { hash, randomUUIDv7 } from "node:crypto";
import type { ThreadImportFormat, ThreadInfo } from "@loom/api";
import type { ThreadId } from "@loom/core";
import { encodeRecord, importSession, SessionFileError, type ThreadHeader } from "@loom/threads/records";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { Subject } from "../../kit/subject.ts";
import { VERSION } from "../../version.ts";
import type { OutputService } from "./outputs.ts";
import type { ThreadService } from "./service.ts";

/** Makes a thread of a file. @throws ProblemError that says which line is wrong */
export async function importThread(
  {
    service,
    outputs,
    now,
  }: { readonly service: ThreadService; readonly outputs: OutputService; readonly now: () => number },
  subject: Subject,
  format: ThreadImportFormat,
  file: Uint8Array,
): Promise<ThreadInfo> {
  const text = textIn(file);
  const id: ThreadId = `T-${randomUUIDv7()}`;
  if (format !== "loom") {
    const records = told(() =>
      importSession(format, text, { id, now: new Date(now()).toISOString(), loomVersion: VERSION }),
    );
    return service.create(
      subject,
      id,
      records.map((record) => encodeRecord(record).trimEnd()),
    );
  }
  const { records, lines, stored } = loomFile(text);
  const info = await service.create(subject, id, withHeader(records, id, lines)).catch((error: unknown) => {
    throw inLines(error, lines);
  });
  for (const content of stored) await outputs.put(id, hash("sha256", content), Buffer.from(content));
  return info;
}

function textIn(file: Uint8Array): string {
  const bytes = Buffer.from(file);
  if (isUtf8(bytes)) return bytes.toString("utf8").replace(/^\ufeff/, "");
  for (let start = 0, line = 1; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) throw wrongFile(`Line ${line} of the file is not UTF-8.`);
    start = end + 1;
  }
}

type LoomFile = {
  readonly records: readonly string[];
  readonly lines: readonly number[];
  readonly stored: readonly string[];
};

/** A thread's own file, or the JSON document that an export gives. */
function loomFile(text: string): LoomFile {
  const document = /^\s*\{\s*"format"\s*:\s*"loom-thread"/.test(text) ? documentIn(text) : undefined;
  if (document !== undefined) {
    const { records, outputs } = document;
    return { records, lines: records.map((_, index) => index + 2), stored: Object.values(outputs) };
  }
  const lines = text.split("\n").map((record, index) => ({ record, line: index + 1 }));
  const full = lines.filter(({ record }) => record.trim() !== "");
  return { records: full.map(({ record }) => record), lines: full.map(({ line }) => line), stored: [] };
}

function documentIn(text: string): {
  readonly records: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
} {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => line.startsWith("]"));
  // One record a line, as the export writes them: the bytes stay what they were.
  const records = lines.slice(1, end === -1 ? undefined : end).map((line) => line.replace(/,$/, ""));
  let outputs: unknown;
  try {
    outputs = (JSON.parse(text) as { outputs?: unknown }).outputs;
  } catch {
    const broken = records.findIndex((record) => !isJson(record));
    throw wrongFile(`Line ${broken === -1 ? lines.length : broken + 2} of the file is not JSON.`);
  }
  const texts = Object.entries(outputs ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return { records, outputs: Object.fromEntries(texts) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The copy is a thread of its own, and says what it is a copy of. */
function withHeader(records: readonly string[], id: ThreadId, lines: readonly number[]): string[] {
  const [first, ...others] = records;
  let header: Partial<ThreadHeader> | null = null;
  try {
    header = JSON.parse(first ?? "");
  } catch {
    // Said below.
  }
  if (header?.type !== "thread" || typeof header.id !== "string") {
    throw wrongFile(`Line ${lines[0] ?? 1} of the file is not the header of a thread.`);
  }
  const copy = { ...header, id, forkedFrom: { id: header.id, version: records.length } };
  return [JSON.stringify(copy), ...others];
}

function told<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof SessionFileError ? wrongFile(error.message) : error;
  }
}

/** Records are numbered from 0 where they are sent, lines of a file from 1. */
function inLines(error: unknown, lines: readonly number[]): unknown {
  if (!(error instanceof ProblemError)) return error;
  const [first] = error.problem.errors ?? [];
  const index = /^records\[(\d+)\]$/.exec(first?.field ?? "")?.[1];
  if (first === undefined || index === undefined) return error;
  return wrongFile(`Line ${lines[Number(index)] ?? Number(index) + 1} of the file ${first.message}.`);
}

function wrongFile(sentence: string): ProblemError {
  return new ProblemError("invalid_input", sentence, { errors: [{ field: "", message: sentence }] });
}
