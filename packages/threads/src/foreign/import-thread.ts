import { randomUUIDv7 } from "node:crypto";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { ThreadId } from "@loom/core";
import { ConversationFold } from "../conversation-fold.ts";
import { OutputStore } from "../output-store.ts";
import { decodeRecord, encodeRecord, THREAD_FORMAT, type ThreadHeader, type ThreadRecord } from "../record.ts";
import { restoreOutputs, storeLongOutputs } from "../stored-outputs.ts";
import { writeInstead } from "../sync/thread-file-writer.ts";
import { threadFile } from "../thread-store.ts";
import { type ForeignFormat, importSession } from "./import-session.ts";
import { documentIn, type Fields, isFields, objectsIn, SessionFileError } from "./session-file.ts";

export type ImportFormat = ForeignFormat | "loom";
export const IMPORT_FORMATS = ["loom", "claude-code", "codex", "opencode"] as const satisfies readonly ImportFormat[];

export type ImportOptions = {
  /** Of the threads. */
  readonly directory: string;
  /** Found out from the content unless given. */
  readonly format?: ImportFormat;
  /** The new thread stays on this machine. */
  readonly private: boolean;
  readonly loomVersion: string;
  /** Milliseconds since 1970. */
  readonly now: number;
};

export type Imported = { readonly id: ThreadId; readonly format: ImportFormat };

type Line = { readonly line: number; readonly text: string; readonly record: ThreadRecord | "unknown" };

/**
 * Makes a new thread of a session file: of Loom (a thread's own file, or a JSON export), Claude Code, Codex, or opencode.
 * It is whole on disk, or not there. @throws SessionFileError that names the line; Node's own error.
 */
export function importThread(content: string, options: ImportOptions): Imported {
  const text = content.replace(/^\ufeff/, "");
  const format = options.format ?? formatOf(text);
  const { directory, loomVersion, now } = options;
  const id: ThreadId = `T-${randomUUIDv7()}`;
  const outputs = new OutputStore(join(directory, "outputs"));
  const lines =
    format === "loom"
      ? loomLines(text, outputs)
      : importSession(format, text, { id, now: new Date(now).toISOString(), loomVersion }).map(lineOf);
  const [first, ...others] = lines;
  if (first === undefined || first.record === "unknown" || first.record.type !== "thread") {
    throw new SessionFileError(first?.line ?? 1, "is not the header of a thread");
  }
  if (first.record.v > THREAD_FORMAT)
    throw new SessionFileError(first.line, "was written by a newer Loom: update Loom");
  checkConversation(others, outputs);
  makePrivateDirectory(directory);
  writeInstead(threadFile(directory, id), (tail) => {
    tail.line(encoded(headerOf(first.record as ThreadHeader, id, lines.length, options)));
    for (const { text: line, record } of others) {
      const stored = record === "unknown" ? undefined : storeLongOutputs(record, outputs);
      tail.line(stored === undefined || stored.record === record ? line : encoded(stored.record));
    }
  });
  return { id, format };
}

/** A copy says what it is a copy of. */
function headerOf(
  header: ThreadHeader,
  id: ThreadId,
  version: number,
  { private: isPrivate }: ImportOptions,
): ThreadHeader {
  const origin = header.id === id ? {} : { forkedFrom: { id: header.id, version } };
  return { ...header, v: THREAD_FORMAT, id, ...origin, ...(isPrivate ? { private: true } : {}) };
}

function lineOf(record: ThreadRecord, index: number): Line {
  return { line: index + 1, text: encoded(record), record };
}

function encoded(record: ThreadRecord): string {
  return encodeRecord(record).trimEnd();
}

/** What can be gone on with has to follow from what stands in front of it, as in every thread. */
function checkConversation(lines: readonly Line[], outputs: OutputStore): void {
  const fold = new ConversationFold();
  for (const { line, record } of lines) {
    if (record === "unknown") continue;
    if (record.type === "thread") throw new SessionFileError(line, "is a second header");
    let problem: string | undefined;
    try {
      problem = fold.apply(restoreOutputs(record, outputs));
    } catch {
      problem = "holds an event that means nothing";
    }
    if (problem !== undefined) throw new SessionFileError(line, problem);
  }
}

function loomLines(text: string, outputs: OutputStore): Line[] {
  if (/^\s*\{\s*"format"\s*:/.test(text)) return exportedLines(text, outputs);
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const record = decodeRecord(line);
    if (record === undefined) throw new SessionFileError(index + 1, "is not a record of a thread");
    return [{ line: index + 1, text: line, record }];
  });
}

/** The JSON that `loom threads export` and a server's export give. */
function exportedLines(text: string, outputs: OutputStore): Line[] {
  const { records, outputs: texts } = documentIn(text);
  if (!Array.isArray(records)) throw new SessionFileError(1, "begins an export without records");
  for (const content of Object.values(isFields(texts) ? texts : {})) {
    if (typeof content === "string") outputs.put(content);
  }
  return records.map((value, index) => {
    const json = JSON.stringify(value);
    const record = decodeRecord(json);
    // The server's export has one record a line, below the line of the head.
    const line = index + 2;
    if (record === undefined) throw new SessionFileError(line, "is not a record of a thread");
    return { line, text: json, record };
  });
}

/** Whose file it is. */
function formatOf(text: string): ImportFormat {
  if (/^\s*\{\s*"format"\s*:/.test(text)) return "loom";
  for (const value of beginningOf(text)) {
    if (value.type === "thread") return "loom";
    if (value.type === "session_meta" || "payload" in value) return "codex";
    if ("sessionId" in value || "isSidechain" in value || value.type === "summary") return "claude-code";
    if ("info" in value && "messages" in value) return "opencode";
  }
  throw new SessionFileError(1, "begins no session that Loom knows: say whose it is with --format");
}

function beginningOf(text: string): readonly Fields[] {
  try {
    return [documentIn(text)];
  } catch {
    // Lines of JSON, then.
  }
  const found: Fields[] = [];
  for (const { value } of objectsIn(text)) {
    found.push(value);
    if (found.length === 20) break;
  }
  return found;
}
