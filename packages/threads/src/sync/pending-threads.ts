import { statSync } from "node:fs";
import type { ThreadId } from "@loom/core";
import { threadFile, threadIds } from "../thread-store.ts";
import { readTombstones } from "../tombstones.ts";
import type { SyncJournal } from "./sync-journal.ts";
import type { ThreadSyncOptions } from "./sync-round.ts";

/** The threads that are not known to be the same here and there. */
export function* pendingThreads(
  { directory, remote: { maxRecordBytes } }: Pick<ThreadSyncOptions, "directory" | "remote">,
  journal: SyncJournal,
): Generator<ThreadId, void> {
  const here = new Set(threadIds(directory));
  for (const id of here) {
    const { seen, remote, trash, tooLong } = journal.thread(id);
    const stat = statSync(threadFile(directory, id), { throwIfNoEntry: false });
    const isAsSeen = seen !== undefined && seen.size === stat?.size && seen.mtimeMs === stat.mtimeMs;
    const fitsNow = tooLong !== undefined && tooLong.bytes <= maxRecordBytes;
    if (!isAsSeen || remote !== undefined || trash !== undefined || fitsNow) yield id;
  }
  for (const { id, private: isPrivate } of readTombstones(directory)) {
    const { fate, synced, remote } = journal.thread(id);
    const isNowhereElse = isPrivate && synced.version === 0 && remote === undefined;
    if (!here.has(id) && fate !== "removed" && !isNowhereElse) yield id;
  }
  for (const { id, fate, synced, remote } of [...journal.threads.values()]) {
    if (!here.has(id) && fate === undefined && (synced.version > 0 || remote !== undefined)) yield id;
  }
}
