import { readdirSync, rmSync, type Stats, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { ThreadId } from "@loom/core";
import { checkpointFileOf } from "./checkpoint.ts";
import { systemCode, ThreadError } from "./errors.ts";
import { takeLease } from "./lease.ts";
import { OutputStore } from "./output-store.ts";
import { decodeRecord } from "./record.ts";
import { outputsNamedIn } from "./stored-outputs.ts";
import { addToDigest, NO_RECORDS } from "./sync/digest-chain.ts";
import { addToFacts, factsOf, type ThreadFacts } from "./thread-facts.ts";
import { readLines } from "./thread-lines.ts";
import { checkHeader } from "./thread-reader.ts";
import { leasesIn, threadFile, threadIds } from "./thread-store.ts";
import { writeTombstone } from "./tombstones.ts";

const DAY_MS = 86_400_000;
/** An output is there a moment before the record that refers to it; what is left half-written is as young. */
export const YOUNG_MS = 60 * 60 * 1_000;

export type RetentionOptions = {
  readonly directory: string;
  /** Threads not used for so many days are removed; 0 = never. Pinned ones never are. */
  readonly retentionDays: number;
  /** Threads stay in the trash for so many days. */
  readonly trashDays: number;
  /** Tells what would be removed, and removes nothing. */
  readonly dryRun: boolean;
  readonly now: number;
};

export type RemovedThread = {
  readonly id: ThreadId;
  readonly title: string;
  readonly updatedAt: string;
  readonly bytes: number;
  readonly why: "in the trash" | "not used";
};

export type CleanUp = {
  readonly threads: readonly RemovedThread[];
  /** Long outputs that no thread refers to any more, and what crashes left behind. */
  readonly files: { readonly count: number; readonly bytes: number };
  /** Threads that would have been removed but are open, and files that cannot be read: one sentence each. */
  readonly notices: readonly string[];
};

/**
 * Removes threads whose time is over, then what belongs to no thread any more. A thread that is pinned, open somewhere,
 * damaged, or of a newer format stays. Each one that goes leaves a tombstone behind.
 */
export function collectGarbage(options: RetentionOptions): CleanUp {
  const { directory, dryRun, now } = options;
  const threads: RemovedThread[] = [];
  const notices: string[] = [];
  const named = new Set<string>();
  let allRead = true;
  for (const id of threadIds(directory)) {
    const file = threadFile(directory, id);
    try {
      const { facts, outputs } = survey(file);
      const why = facts === undefined ? undefined : reasonToRemove(facts, options);
      if (facts === undefined || why === undefined || !(dryRun || removeThread(directory, facts, now, notices))) {
        for (const sha256 of outputs) named.add(sha256);
        continue;
      }
      const { title, updatedAt } = facts;
      threads.push({ id, title, updatedAt, bytes: statSync(file, { throwIfNoEntry: false })?.size ?? 0, why });
    } catch (error) {
      allRead = false;
      notices.push(`${file} cannot be read, so no outputs are removed: ${systemCode(error) ?? String(error)}.`);
    }
  }
  return { threads, files: removeUnused(directory, allRead ? named : undefined, { dryRun, now }), notices };
}

/** The facts of a thread and the outputs it names; without facts where it is no thread, or damaged. */
function survey(file: string): { readonly facts: ThreadFacts | undefined; readonly outputs: ReadonlySet<string> } {
  const outputs = new Set<string>();
  let facts: ThreadFacts | undefined;
  let sound = true;
  for (const { bytes } of readLines(file)) {
    const line = bytes.toString("utf8");
    for (const sha256 of outputsNamedIn(line)) outputs.add(sha256);
    if (!sound) continue;
    try {
      const record = decodeRecord(line);
      if (facts === undefined) facts = factsOf(checkHeader(file, record));
      else if (record === undefined || (record !== "unknown" && record.type === "thread")) sound = false;
      else facts = addToFacts(facts, record);
    } catch {
      sound = false;
    }
  }
  return { facts: sound ? facts : undefined, outputs };
}

function reasonToRemove(facts: ThreadFacts, options: RetentionOptions): RemovedThread["why"] | undefined {
  const { retentionDays, trashDays, now } = options;
  if (facts.pinned) return undefined;
  const daysSince = (time: string) => (now - Date.parse(time)) / DAY_MS;
  if (facts.deletedAt !== undefined) return daysSince(facts.deletedAt) >= trashDays ? "in the trash" : undefined;
  return retentionDays > 0 && daysSince(facts.updatedAt) >= retentionDays ? "not used" : undefined;
}

function removeThread(directory: string, facts: ThreadFacts, now: number, notices: string[]): boolean {
  try {
    purgeThread(directory, facts, now);
    return true;
  } catch (error) {
    if (!(error instanceof ThreadError)) throw error;
    notices.push(error.message);
    return false;
  }
}

/**
 * Removes one thread for good, and leaves a tombstone: first the tombstone, so that a crash in between removes nothing
 * that a server would bring back. Its long outputs go with the next clean-up.
 * @throws ThreadError `thread_in_use`; Node's own errors.
 */
export function purgeThread(directory: string, facts: ThreadFacts, now: number): void {
  const lease = takeLease(leasesIn(directory), facts.id);
  try {
    eraseThread(directory, facts, now);
  } finally {
    lease.release();
  }
}

/** As `purgeThread`, for whoever holds the thread's lease. */
export function eraseThread(
  directory: string,
  { id, version, private: isPrivate, deletedAt }: Pick<ThreadFacts, "id" | "version" | "private" | "deletedAt">,
  now: number,
): void {
  const file = threadFile(directory, id);
  const digest = digestOf(file, version);
  writeTombstone(directory, {
    id,
    version,
    ...(digest === undefined ? {} : { digest }),
    private: isPrivate,
    deletedAt: deletedAt ?? new Date(now).toISOString(),
  });
  rmSync(checkpointFileOf(file, id), { force: true });
  rmSync(file, { force: true });
}

/** Of the first `version` records. */
function digestOf(file: string, version: number): string | undefined {
  let digest = NO_RECORDS;
  let count = 0;
  try {
    for (const { bytes } of readLines(file)) {
      if (count === version) break;
      digest = addToDigest(digest, bytes.toString("utf8"));
      count += 1;
    }
  } catch {
    return undefined;
  }
  return count === version ? digest : undefined;
}

/** `named`: what is in use; `undefined` = not known, then no output is removed. */
function removeUnused(
  directory: string,
  named: ReadonlySet<string> | undefined,
  { dryRun, now }: { readonly dryRun: boolean; readonly now: number },
): CleanUp["files"] {
  const { directory: outputs } = new OutputStore(join(directory, "outputs"));
  const ids = new Set<string>(threadIds(directory));
  const isUnused = (path: string, name: string) => {
    if (name.endsWith(".new")) return true;
    if (path.startsWith(outputs)) return named !== undefined && !named.has(name);
    return name.endsWith(".checkpoint") && !ids.has(name.slice(0, -".checkpoint".length));
  };
  const own = [directory, leasesIn(directory), join(directory, "derived"), join(directory, "deleted")];
  const places = [...own, ...names(outputs).map((name) => join(outputs, name))];
  let count = 0;
  let bytes = 0;
  for (const place of places) {
    for (const name of names(place)) {
      const path = join(place, name);
      const stat = statOf(path);
      if (stat === undefined || !stat.isFile() || now - stat.mtimeMs < YOUNG_MS || !isUnused(path, name)) continue;
      if (!dryRun && !unlinked(path)) continue;
      count += 1;
      bytes += stat.size;
    }
  }
  return { count, bytes };
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function unlinked(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
