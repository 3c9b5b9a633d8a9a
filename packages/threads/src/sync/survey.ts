import { type Stats, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ThreadId } from "@loom/core";
import { anchorAt } from "../index/anchor.ts";
import type { OutputStore } from "../output-store.ts";
import type { ThreadRecord, Visibility } from "../record.ts";
import { outputsNamedIn } from "../stored-outputs.ts";
import { readLines, textAndRecordIn } from "../thread-lines.ts";
import { checkHeader, damaged } from "../thread-reader.ts";
import { headerOf } from "../thread-summary.ts";
import { addToDigest } from "./digest-chain.ts";
import { addLacking } from "./output-transfer.ts";
import { BEGINNING, type RecordPoint } from "./record-point.ts";
import { UploadBatch } from "./upload-batch.ts";

export type LocalRecord = {
  /** Without its newline; good until the next record is asked for. */
  readonly bytes: Buffer;
  readonly text: string;
  readonly record: ThreadRecord | "unknown";
  /** The place behind it. */
  readonly end: RecordPoint;
};

/**
 * The records of a file from a place on. A last line that is no record was torn by a crash, and is left out.
 * @throws ThreadError `thread_damaged` at a line that is no record where another follows; `thread_too_new`.
 */
export function* recordsFrom(file: string, from: RecordPoint): Generator<LocalRecord, undefined> {
  let end = from;
  let isBroken = false;
  for (const { position, bytes } of readLines(file, from.position)) {
    if (isBroken) throw damaged(file, end.version + 1, "is not a record of a thread");
    const line = textAndRecordIn(bytes);
    if (end.version === 0) checkHeader(file, line?.record);
    if (line === undefined) {
      isBroken = true;
      continue;
    }
    end = {
      version: end.version + 1,
      digest: addToDigest(end.digest, line.text),
      position: position + bytes.length + 1,
    };
    yield { bytes, ...line, end };
  }
  return undefined;
}

/** What is remembered of a file to find out later what was appended to it. */
export type KnownPart = RecordPoint & {
  /** Fingerprint of the bytes in front of that place (`anchorAt`). */
  readonly anchor: string;
  /** By the records in front of it, the thread is to stay on this machine. */
  readonly private: boolean;
  /** By the records in front of it, the thread is in the trash; absent where nobody has looked. */
  readonly deleted?: boolean;
};

export const NOTHING_KNOWN: KnownPart = { ...BEGINNING, anchor: "", private: false, deleted: false };

export type FileState = Pick<Stats, "size" | "mtimeMs">;

export type Survey = {
  /** The part that was known and still holds; nothing where the file is another than it was. */
  readonly known: KnownPart;
  readonly end: RecordPoint;
  /** How far the thread can be sent: to its end, or to what is too long. */
  readonly sendable: RecordPoint;
  /** The first record that is longer than a server takes. */
  readonly tooLong?: TooLong;
  /** Of those behind `known` that can be sent: bytes of the longest. */
  readonly longest: number;
  /** The thread is to stay on this machine. */
  readonly private: boolean;
  /** The thread is in the trash; absent where what says so may stand in the known part. */
  readonly deleted?: boolean;
  /** What was said last behind `known` of who may see the thread; not in what it is a copy of. */
  readonly visibility?: Visibility;
  /** Outputs that are named behind `known` and are not on this machine, by `addLacking`. */
  readonly lacking: readonly string[];
  /** What is behind `known`, or the beginning of it: few bytes, so that most threads are read once. */
  readonly added: UploadBatch;
  /** The file just before it was read. */
  readonly seen: FileState;
};

export type TooLong = { readonly record: number; readonly bytes: number };

/** Records between two breaths: others wait for their turn. */
const BREATH_RECORDS = 256;
/** Of a file, what is kept for whoever sends it. */
const MAX_ADDED_BYTES = 128 * 1024;

/** Reads what was appended since `known`; a file that was rewritten is read from its beginning. @throws as `recordsFrom`. */
export async function surveyThread(
  id: ThreadId,
  file: string,
  known: KnownPart,
  { maxRecordBytes, outputs }: { readonly maxRecordBytes: number; readonly outputs: OutputStore },
): Promise<Survey> {
  const { size, mtimeMs } = statSync(file);
  const holds = known.position <= size && anchorOf(file, known.position) === known.anchor;
  const start = holds ? known : NOTHING_KNOWN;
  let end: RecordPoint = start;
  let isPrivate = start.private;
  let deleted = start.deleted;
  const added = new UploadBatch(start, MAX_ADDED_BYTES);
  let hasRoom = true;
  let sendable: RecordPoint = start;
  let tooLong: TooLong | undefined;
  let longest = 0;
  const lacking = new Set<string>();
  let visibility: { readonly wanted: Visibility; readonly record: number } | undefined;
  for (const { bytes, text, record, end: next } of recordsFrom(file, start)) {
    if (record !== "unknown") {
      if (record.type === "thread") {
        if (next.version > 1) throw damaged(file, next.version, "is a second header");
        if (record.id !== id) throw damaged(file, 1, "names another thread than its file");
      }
      if (record.type === "thread" || record.type === "metadata") isPrivate = record.private ?? isPrivate;
      if (record.type === "metadata") deleted = record.deleted ?? deleted;
      if (record.type === "metadata" && record.visibility !== undefined) {
        visibility = { wanted: record.visibility, record: next.version };
      }
    }
    for (const sha256 of outputsNamedIn(text)) {
      if (!outputs.has(sha256)) addLacking(lacking, sha256);
    }
    if (bytes.length > maxRecordBytes) tooLong ??= { record: next.version, bytes: bytes.length };
    if (tooLong === undefined) {
      sendable = next;
      longest = Math.max(longest, bytes.length);
      if (hasRoom) hasRoom = text.length <= MAX_ADDED_BYTES && added.take(text, next);
    }
    end = next;
    if (end.version % BREATH_RECORDS === 0) await setImmediate();
  }
  if (end.version === 0) throw damaged(file, 1, "is missing");
  const trash = deleted === undefined ? {} : { deleted };
  const stop = tooLong === undefined ? {} : { tooLong };
  const sending = { sendable, ...stop, longest, lacking: [...lacking], added };
  // What cannot be sent makes nothing visible to more people, and still to fewer.
  const isHeard =
    visibility !== undefined && (visibility.record <= sendable.version || visibility.wanted === "private");
  const isOwn = visibility !== undefined && isHeard && visibility.record > (headerOf(file).forkedFrom?.version ?? 0);
  const wish = visibility !== undefined && isOwn ? { visibility: visibility.wanted } : {};
  return { known: start, end, ...sending, ...wish, private: isPrivate, ...trash, seen: { size, mtimeMs } };
}

/** "" in front of everything, so that nothing known needs no file. */
export function anchorOf(file: string, position: number): string {
  return position === 0 ? "" : anchorAt(file, position);
}

/** The place behind record number `version`, which lies behind `from`; `undefined` where the file has not so many. */
export async function pointAt(file: string, from: RecordPoint, version: number): Promise<RecordPoint | undefined> {
  if (version === from.version) return from;
  for (const { end } of recordsFrom(file, from)) {
    if (end.version === version) return end;
    if (end.version % BREATH_RECORDS === 0) await setImmediate();
  }
  return undefined;
}
