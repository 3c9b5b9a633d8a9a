import { type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { ThreadId } from "@loom/core";
import { systemCode, ThreadError } from "../errors.ts";
import { OutputStore } from "../output-store.ts";
import type { ThreadFacts } from "../thread-facts.ts";
import { threadFile, threadIds } from "../thread-store.ts";
import { filterSql, type ThreadFilters } from "./filters.ts";
import { inTransaction, openIndexFile } from "./index-file.ts";
import { readLateOutputs } from "./late-outputs.ts";
import { forgetThread, readIntoIndex } from "./read-into-index.ts";
import { type SearchHit, type SearchOptions, searchIndex } from "./search-index.ts";

export type { ThreadFilters } from "./filters.ts";
export type { SearchHit, SearchOptions } from "./search-index.ts";

export type ListedThread = ThreadFacts & {
  /** Size of the thread's file. */
  readonly bytes: number;
  /** Lines of the file that cannot be read. */
  readonly damagedLines: readonly number[];
};

export type ThreadIndexOptions = {
  /** Where the threads are. */
  readonly directory: string;
  /** Milliseconds since 1970; the system's clock unless given. */
  readonly now?: () => number;
};

/**
 * What is in all threads, to be listed and searched. The files are the truth: each question is first brought up to date
 * with what was appended to them since the last one. May be deleted at any time.
 */
export type ThreadIndex = {
  /** Newest first. */
  list(options?: ThreadFilters & { readonly limit?: number }): ListedThread[];
  search(query: string, options?: SearchOptions): SearchHit[];
  close(): void;
};

const DEFAULT_LIMIT = 1_000;

/** Where the index of a directory of threads is. */
export function indexFileOf(directory: string): string {
  return join(directory, "derived", "index.sqlite");
}

export async function openThreadIndex({ directory, now = Date.now }: ThreadIndexOptions): Promise<ThreadIndex> {
  const file = indexFileOf(directory);
  const outputs = new OutputStore(join(directory, "outputs"));
  const fileOf = (id: ThreadId) => threadFile(directory, id);
  const database = await openIndexFile(file, (opened) => bringUpToDate(opened, directory, outputs));
  return {
    list({ limit = DEFAULT_LIMIT, ...filters } = {}) {
      bringUpToDate(database, directory, outputs);
      const { sql, values } = filterSql(filters, "thread.updated_at");
      return database
        .prepare(`SELECT facts, size, damaged FROM thread WHERE ${sql} ORDER BY updated_at DESC, id DESC LIMIT ?`)
        .all(...values, limit)
        .map(({ facts, size, damaged }) => ({
          ...(JSON.parse(String(facts)) as ThreadFacts),
          bytes: Number(size),
          damagedLines: JSON.parse(String(damaged)),
        }));
    },
    search(query, options = {}) {
      bringUpToDate(database, directory, outputs);
      return searchIndex(database, { fileOf, outputs, now: now() }, query, options);
    },
    close: () => database.close(),
  };
}

/** Reads what is new; takes out what is gone. A file that is no thread is passed over. */
function bringUpToDate(database: DatabaseSync, directory: string, outputs: OutputStore): void {
  const known = new Map(
    database
      .prepare("SELECT id, key, size, modified_ms, inode FROM thread")
      .all()
      .map((row) => [String(row.id), row] as const),
  );
  for (const id of threadIds(directory)) {
    const file = threadFile(directory, id);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const row = known.get(id);
    known.delete(id);
    if (row !== undefined && isSame(stat, row)) continue;
    readIfThread(database, id, file, outputs);
  }
  for (const { key } of known.values()) inTransaction(database, () => forgetThread(database, Number(key)));
  readLateOutputs(database, { fileOf: (id) => threadFile(directory, id), outputs });
}

function readIfThread(database: DatabaseSync, id: ThreadId, file: string, outputs: OutputStore): void {
  try {
    inTransaction(database, () => readIntoIndex(database, id, file, outputs));
  } catch (error) {
    // No thread, or one that may not be read: neither stands in the way of the others.
    if (!(error instanceof ThreadError) && (systemCode(error) ?? "ERR_").startsWith("ERR_")) throw error;
  }
}

function isSame(stat: Stats, row: Record<string, unknown>): boolean {
  return stat.size === row.size && stat.mtimeMs === row.modified_ms && stat.ino === row.inode;
}
