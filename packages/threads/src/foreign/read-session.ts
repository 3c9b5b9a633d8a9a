import type { ThreadId } from "@loom/core";
import { ConversationFold } from "../conversation-fold.ts";
import { decodeRecord, encodeRecord, THREAD_FORMAT, type ThreadRecord } from "../record.ts";
import { restoreOutputs } from "../stored-outputs.ts";
import { importSession } from "./import-session.ts";
import { documentIn, type Fields, isFields, objectsIn, SessionFileError } from "./session-file.ts";

export const IMPORT_FORMATS = ["loom", "claude-code", "codex", "opencode"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** A record of the new thread, and the line of the file that it comes from. */
export type SessionLine = { readonly line: number; readonly text: string; readonly record: ThreadRecord | "unknown" };

export type Session = {
  readonly format: ImportFormat;
  /** The first one is the header. */
  readonly lines: readonly SessionLine[];
  /** Long outputs that came in the file. */
  readonly outputs: readonly string[];
};

export type SessionOptions = {
  /** Of the new thread. */
  readonly id: ThreadId;
  /** Found out from the content unless given. */
  readonly format?: ImportFormat;
  /** The new thread stays on its machine. */
  readonly private?: boolean;
  /** RFC 3339. */
  readonly now: string;
  readonly loomVersion: string;
};

/**
 * A session file as the records of a new thread: of Loom (a thread's own file, or a JSON export),
 * Claude Code, Codex, or opencode. @throws SessionFileError that names the line
 */
export function readSession(content: string, options: SessionOptions): Session {
  const text = content.replace(/^\ufeff/, "");
  const { format = formatOf(text) } = options;
  const { lines, outputs } = format === "loom" ? loomLines(text) : foreignLines(format, text, options);
  const [first, ...others] = lines;
  if (first === undefined || first.record === "unknown" || first.record.type !== "thread") {
    throw new SessionFileError(first?.line ?? 1, "is not the header of a thread");
  }
  return { format, lines: [withHeader(first, lines.length, options), ...others], outputs };
}

type Lines = Pick<Session, "lines" | "outputs">;

/** A copy says what it is a copy of. */
function withHeader(
  { line, record }: SessionLine,
  version: number,
  { id, private: isPrivate = false }: SessionOptions,
): SessionLine {
  if (record === "unknown" || record.type !== "thread")
    throw new SessionFileError(line, "is not the header of a thread");
  if (record.v > THREAD_FORMAT) throw new SessionFileError(line, "was written by a newer Loom: update Loom");
  const origin = record.id === id ? {} : { forkedFrom: { id: record.id, version } };
  const header = { ...record, v: THREAD_FORMAT, id, ...origin, ...(isPrivate ? { private: true } : {}) };
  return { line, text: encoded(header), record: header };
}

export function encoded(record: ThreadRecord): string {
  return encodeRecord(record).trimEnd();
}

const NOTHING_STORED = { read: () => undefined };

/**
 * What is to be gone on with has to follow from what stands in front of it, as in every thread that a session has led.
 * @throws SessionFileError that names the line
 */
export function checkConversation({ lines }: Session): void {
  const fold = new ConversationFold();
  for (const { line, record } of lines.slice(1)) {
    if (record === "unknown") continue;
    if (record.type === "thread") throw new SessionFileError(line, "is a second header");
    let problem: string | undefined;
    try {
      // What a long output says makes no difference here.
      problem = fold.apply(restoreOutputs(record, NOTHING_STORED));
    } catch {
      problem = "holds an event that means nothing";
    }
    if (problem !== undefined) throw new SessionFileError(line, problem);
  }
}

function foreignLines(format: Exclude<ImportFormat, "loom">, text: string, options: SessionOptions): Lines {
  const records = importSession(format, text, options);
  return {
    lines: records.map((record, index) => ({ line: index + 1, text: encoded(record), record })),
    outputs: [],
  };
}

const EXPORT = /^\s*\{\s*"format"\s*:/;

function loomLines(text: string): Lines {
  if (EXPORT.test(text)) return exportedLines(text);
  const lines = text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [lineOf(line, index + 1)]));
  return { lines, outputs: [] };
}

/** The JSON that `loom threads export` and a server's export give. */
function exportedLines(text: string): Lines {
  const { records, outputs } = documentIn(text);
  if (!Array.isArray(records)) throw new SessionFileError(1, "begins an export without records");
  const asWritten = recordTexts(text, records.length);
  const texts = Object.values(isFields(outputs) ? outputs : {});
  return {
    lines: records.map((value, index) => lineOf(asWritten[index] ?? JSON.stringify(value), index + 2)),
    outputs: texts.filter((content) => typeof content === "string"),
  };
}

/** A server's export has one record a line, below the line of the head: the bytes stay what they were. */
function recordTexts(text: string, count: number): readonly string[] {
  const lines = text.split("\n").slice(1, count + 2);
  const isOneALine = lines.length === count + 1 && lines.at(-1)?.startsWith("]") === true;
  return isOneALine ? lines.slice(0, count).map((line) => line.replace(/,$/, "")) : [];
}

function lineOf(text: string, line: number): SessionLine {
  const record = decodeRecord(text);
  if (record === undefined) throw new SessionFileError(line, "is not a record of a thread");
  return { line, text, record };
}

/** Whose file it is. */
function formatOf(text: string): ImportFormat {
  if (EXPORT.test(text)) return "loom";
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
