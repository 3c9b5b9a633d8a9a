import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { isThreadId, type ThreadId } from "@loom/core";
import { askForLease } from "../lease.ts";
import { encodeRecord, type ThreadHeader, type ThreadRecord } from "../record.ts";
import { leasesIn, threadFile } from "../thread-store.ts";
import { readTombstone } from "../tombstones.ts";
import { BEGINNING } from "./record-point.ts";
import { recordsFrom } from "./survey.ts";
import { writeBehind, writeInstead } from "./thread-file-writer.ts";

/** Where the records of this machine part from those of the server. */
export type Parting = {
  /** How many records are the same on both sides. */
  readonly version: number;
  /** The first record of ours that the server does not have, and its digest. */
  readonly first: ThreadRecord | "unknown";
  readonly digest: string;
};

const ATTEMPTS = 64;

/**
 * Our continuation of a thread as a thread of its own: all that this machine has of it, under a new id. The id comes
 * from the place where the continuation began, so that the same continuation gives the same thread however often this
 * is begun and cut off; where that thread has meanwhile gone another way, the next id is taken.
 * To be called with the lease of `id`. `undefined` where the new thread is open elsewhere. @throws Node's own error.
 */
export function writeSideThread(directory: string, id: ThreadId, parting: Parting, end: number): ThreadId | undefined {
  const source = threadFile(directory, id);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const sideId = sideIdOf(id, parting, attempt);
    if (readTombstone(directory, sideId) !== undefined) continue;
    const file = threadFile(directory, sideId);
    const lease = askForLease(leasesIn(directory), sideId);
    if (!("release" in lease)) return undefined;
    try {
      const done =
        statSync(file, { throwIfNoEntry: false }) === undefined
          ? begin(source, file, sideId, parting, end)
          : complete(source, file, end);
      if (done) return sideId;
    } finally {
      lease.release();
    }
  }
  throw new Error(`there is no free id for a copy of ${id}`);
}

function begin(source: string, file: string, id: ThreadId, parting: Parting, end: number): true {
  writeInstead(file, (tail) => {
    for (const { bytes, record, end: behind } of recordsFrom(source, BEGINNING)) {
      if (behind.position > end) break;
      if (behind.version > 1 || record === "unknown" || record.type !== "thread") tail.line(bytes);
      else tail.line(encodeRecord(headerOfSide(record, id, parting)).trimEnd());
    }
  });
  return true;
}

/** Adds what an earlier attempt did not have yet. False where the thread is not the beginning of what is wanted. */
function complete(source: string, file: string, end: number): boolean {
  const theirs = recordsFrom(file, BEGINNING);
  try {
    let position = theirs.next().value?.end.position ?? 0;
    for (const { bytes, end: behind } of recordsFrom(source, BEGINNING)) {
      if (behind.version === 1) continue;
      if (behind.position > end) break;
      const next = theirs.next().value;
      if (next === undefined) {
        const start = behind.position - bytes.length - 1;
        writeBehind(file, position, (tail) => tail.copy(source, start, end));
        break;
      }
      if (!next.bytes.equals(bytes)) return false;
      position = next.end.position;
    }
    return true;
  } finally {
    theirs.return(undefined);
  }
}

function headerOfSide(header: ThreadHeader, id: ThreadId, { version, first }: Parting): ThreadHeader {
  const { forkedFrom: _, ...rest } = header;
  const origin = version === 0 ? {} : { forkedFrom: { id: header.id, version } };
  return { ...rest, id, createdAt: timeOf(first) ?? header.createdAt, ...origin };
}

/** UUIDv7 (RFC 9562) whose time is that of the continuation's first record and whose other bits come from its digest. */
function sideIdOf(id: ThreadId, { first, digest }: Parting, attempt: number): ThreadId {
  const bytes = createHash("sha256").update(`side thread\n${id}\n${digest}\n${attempt}`).digest().subarray(0, 16);
  const time = Date.parse(timeOf(first) ?? "");
  bytes.writeUIntBE(Number.isNaN(time) ? 0 : Math.max(0, time), 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  const text = `T-${parts.join("-")}`;
  if (!isThreadId(text)) throw new Error(`${text} is no id of a thread`);
  return text;
}

function timeOf(record: ThreadRecord | "unknown"): string | undefined {
  if (record === "unknown") return undefined;
  return record.type === "thread" ? record.createdAt : record.at;
}
