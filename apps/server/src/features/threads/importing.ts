import { isUtf8 } from "node:buffer";
import { hash, randomUUIDv7 } from "node:crypto";
import type { ThreadImportFormat, ThreadInfo } from "@loom/api";
import type { ThreadId } from "@loom/core";
import { readSession, SessionFileError } from "@loom/threads/records";
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
  const options = { id, format, now: new Date(now()).toISOString(), loomVersion: VERSION };
  const session = told(() => readSession(text, options));
  const records = session.lines.map((line) => line.text);
  const info = await service.create(subject, id, records).catch((error: unknown) => {
    throw inLines(
      error,
      session.lines.map(({ line }) => line),
    );
  });
  for (const content of session.outputs) await outputs.put(id, hash("sha256", content), Buffer.from(content));
  return info;
}

function textIn(file: Uint8Array): string {
  const bytes = Buffer.from(file);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  for (let start = 0, line = 1; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) throw wrongFile(`Line ${line} of the file is not UTF-8.`);
    start = end + 1;
  }
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
