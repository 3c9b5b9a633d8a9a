import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { ThreadId } from "@loom/core";
import { decodeRecord, type ThreadHeader, type ThreadRecord, type UsageTotals } from "./record.ts";
import { checkHeader } from "./thread-reader.ts";

/** What a list shows of a thread. */
export type ThreadSummary = {
  readonly id: ThreadId;
  readonly createdAt: string;
  /** Time of the last write, RFC 3339. */
  readonly updatedAt: string;
  readonly workspace: string;
  /** The title, else the beginning of what the person first said; "" where neither is near the file's ends. */
  readonly title: string;
  readonly bytes: number;
  /** As of the last finished turn. */
  readonly totals: UsageTotals | undefined;
  /** It is in the trash. */
  readonly deleted: boolean;
};

/** Read of each file, whatever its size: the settings of the first run and the first input fit in well. */
const HEAD_BYTES = 48 * 1024;
const TAIL_BYTES = 8 * 1024;
const MAX_TITLE_CHARACTERS = 80;

/** The summary of one file from its head and its tail. @throws ThreadError, or a system error. */
export function summarise(file: string): ThreadSummary {
  const descriptor = openSync(file, "r");
  try {
    const { size, mtime } = fstatSync(descriptor);
    const head = readLines(descriptor, 0, Math.min(size, HEAD_BYTES)).slice(0, -1);
    const tailStart = Math.max(0, size - TAIL_BYTES);
    const tail = readLines(descriptor, tailStart, size - tailStart).slice(tailStart === 0 ? 0 : 1, -1);
    const header: ThreadHeader = checkHeader(file, head[0] === undefined ? undefined : decodeRecord(head[0]));
    return {
      id: header.id,
      createdAt: header.createdAt,
      updatedAt: mtime.toISOString(),
      workspace: header.workspace,
      title: oneLine(lastOf(tail, "title")?.title ?? firstOf(head, "title")?.title ?? firstInput(head)),
      bytes: size,
      totals: lastOf(tail, "usage")?.totals,
      // Nothing follows a deletion but its undoing.
      deleted: lastOf(tail, "metadata", ({ deleted }) => deleted !== undefined)?.deleted ?? false,
    };
  } finally {
    closeSync(descriptor);
  }
}

/** The header alone. @throws ThreadError, or a system error. */
export function headerOf(file: string): ThreadHeader {
  const descriptor = openSync(file, "r");
  try {
    const [line] = readLines(descriptor, 0, HEAD_BYTES);
    return checkHeader(file, line === undefined ? undefined : decodeRecord(line));
  } finally {
    closeSync(descriptor);
  }
}

function readLines(descriptor: number, position: number, length: number): string[] {
  const bytes = Buffer.alloc(length);
  const read = readSync(descriptor, bytes, 0, length, position);
  return bytes.toString("utf8", 0, read).split("\n");
}

type RecordOf<Type extends ThreadRecord["type"]> = Extract<ThreadRecord, { type: Type }>;

function firstOf<Type extends ThreadRecord["type"]>(
  lines: readonly string[],
  type: Type,
  accept: (record: RecordOf<Type>) => boolean = () => true,
): RecordOf<Type> | undefined {
  const mark = `{"type":"${type}"`;
  for (const line of lines) {
    if (!line.startsWith(mark)) continue;
    const record = decodeRecord(line);
    if (record !== undefined && record !== "unknown" && isOf(record, type) && accept(record)) return record;
  }
  return undefined;
}

function lastOf<Type extends ThreadRecord["type"]>(
  lines: readonly string[],
  type: Type,
  accept?: (record: RecordOf<Type>) => boolean,
): RecordOf<Type> | undefined {
  return firstOf(lines.toReversed(), type, accept);
}

function isOf<Type extends ThreadRecord["type"]>(record: ThreadRecord, type: Type): record is RecordOf<Type> {
  return record.type === type;
}

function firstInput(lines: readonly string[]): string {
  const record = firstOf(lines, "event", ({ event }) => event.type === "user_input");
  if (record?.event.type !== "user_input") return "";
  return record.event.input.map((block) => (block.type === "text" ? block.text : "[image]")).join(" ");
}

/** For a list in a terminal: control and bidirectional characters must not reach it. */
function oneLine(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const characters = Array.from(plain.slice(0, 2 * MAX_TITLE_CHARACTERS));
  return characters.length <= MAX_TITLE_CHARACTERS
    ? characters.join("")
    : `${characters.slice(0, MAX_TITLE_CHARACTERS - 1).join("")}…`;
}
