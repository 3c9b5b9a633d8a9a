import { statSync, utimesSync } from "node:fs";
import type { ThreadId } from "@loom/core";
import { encodeRecord, type MetadataRecord, type ThreadRecord } from "../record.ts";
import { threadFile } from "../thread-store.ts";
import { type ContinuationKind, kindOf, planMerge, widest } from "./continuation.ts";
import type { Incoming } from "./incoming.ts";
import type { RecordPoint } from "./record-point.ts";
import { type Parting, writeSideThread } from "./side-thread.ts";
import { type LocalRecord, recordsFrom, type Survey } from "./survey.ts";
import { type FileTail, writeBehind, writeInstead } from "./thread-file-writer.ts";

export type Merged = {
  /** Where the part ends that is now the same here and on the server. */
  readonly common: RecordPoint;
};

/**
 * Brings what the server has into a thread of this machine, under the thread's lease. The file's records stay the
 * beginning of the new content as far as they are the server's, so that a kill at any point leaves either the old content
 * or the new. `"busy"`: our continuation became a thread before, which is open elsewhere now.
 * @throws Node's own error.
 */
export function mergeIncoming(
  directory: string,
  id: ThreadId,
  survey: Survey,
  incoming: Incoming,
  {
    now,
    onSide,
  }: {
    readonly now: number;
    /** Our continuation has become a thread of its own; the thread itself is not changed yet. */
    readonly onSide: (side: ThreadId) => void;
  },
): Merged | "busy" {
  const file = threadFile(directory, id);
  const parts = partWays(file, incoming);
  const { common } = parts;
  const theirs = { start: parts.theirsAt, end: incoming.bytes };
  const end = { ...incoming.end, position: common.position + theirs.end - theirs.start };
  if (parts.first === undefined) {
    writeBehind(file, common.position, (tail) => tail.copy(incoming.file, theirs.start, theirs.end));
    touch(file, incoming.lastAt, now);
    return { common: end };
  }

  const plan = planMerge(parts.ours, parts.theirs);
  if (plan.type === "fork") {
    const parting: Parting = { version: common.version, first: parts.first, digest: parts.firstDigest };
    const side = writeSideThread(directory, id, parting, survey.end.position);
    if (side === undefined) return "busy";
    onSide(side);
  }
  writeInstead(file, (tail) => {
    tail.copy(file, 0, common.position);
    tail.copy(incoming.file, theirs.start, theirs.end);
    if (plan.type === "ours_follow") addOurs(tail, file, common, survey.end, plan.keep);
    for (const record of lastWords(parts, survey, plan.type === "fork", now)) tail.line(encodeRecord(record).trimEnd());
  });
  touch(file, incoming.lastAt, now);
  return { common: end };
}

type Parts = {
  /** The last place at which both sides are the same. */
  readonly common: RecordPoint;
  /** Where the server's continuation begins in the incoming file. */
  readonly theirsAt: number;
  readonly ours: ContinuationKind;
  readonly theirs: ContinuationKind;
  /** The first of ours that the server does not have; `undefined` where there is none. */
  readonly first: ThreadRecord | "unknown" | undefined;
  readonly firstDigest: string;
  readonly deletedByUs: boolean;
  readonly deletedByThem: boolean;
};

/** Compares both sides from the place on at which the incoming part begins. */
function partWays(file: string, incoming: Incoming): Parts {
  const ours = recordsFrom(file, incoming.after);
  const theirs = recordsFrom(incoming.file, { ...incoming.after, position: 0 });
  try {
    let common = incoming.after;
    let theirsAt = 0;
    let our = ours.next().value;
    let their = theirs.next().value;
    while (our !== undefined && their !== undefined && our.bytes.equals(their.bytes)) {
      common = our.end;
      theirsAt = their.end.position;
      our = ours.next().value;
      their = theirs.next().value;
    }
    const first = our?.record;
    const firstDigest = our?.end.digest ?? "";
    const mine = summarise(our, ours);
    const yours = summarise(their, theirs);
    return {
      common,
      theirsAt,
      ours: mine.kind,
      theirs: yours.kind,
      first,
      firstDigest,
      deletedByUs: mine.deleted,
      deletedByThem: yours.deleted,
    };
  } finally {
    ours.return(undefined);
    theirs.return(undefined);
  }
}

function summarise(first: LocalRecord | undefined, rest: Iterable<LocalRecord>) {
  let kind: ContinuationKind = "words";
  let deleted = false;
  const add = ({ record }: LocalRecord) => {
    kind = widest(kind, kindOf(record));
    if (record !== "unknown" && record.type === "metadata") deleted = record.deleted ?? deleted;
  };
  if (first !== undefined) add(first);
  for (const each of rest) add(each);
  return { kind, deleted };
}

function addOurs(tail: FileTail, file: string, from: RecordPoint, to: RecordPoint, keep: "all" | "words"): void {
  for (const { bytes, record, end } of recordsFrom(file, from)) {
    if (end.version > to.version) break;
    if (keep === "all" || kindOf(record) === "words") tail.line(bytes);
  }
}

/**
 * A thread that was removed on one side and gone on with on the other is not in the trash; one that is to stay on this
 * machine still is, also where the record that says so went into a thread of its own.
 */
function lastWords(parts: Parts, survey: Survey, forked: boolean, now: number): MetadataRecord[] {
  const { ours, theirs, deletedByUs, deletedByThem } = parts;
  const at = new Date(now).toISOString();
  const words: MetadataRecord[] = [];
  const isBack = !forked && ((deletedByUs && theirs === "talk") || (deletedByThem && ours === "talk"));
  if (isBack) words.push({ type: "metadata", at, deleted: false });
  if (forked && survey.private) words.push({ type: "metadata", at, private: true });
  return words;
}

/** A file's time says when the thread was last used, by whichever machine; never a time to come. */
export function touch(file: string, lastAt: string | undefined, now: number): void {
  const used = lastAt === undefined ? Number.NaN : Date.parse(lastAt);
  if (Number.isNaN(used)) return;
  const before = statSync(file).atime;
  utimesSync(file, before, new Date(Math.min(used, now)));
}
