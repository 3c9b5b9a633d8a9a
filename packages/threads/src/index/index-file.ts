import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { createTables, INDEX_VERSION } from "./schema.ts";

/** How long another process may hold the index before this one goes on with an index of its own in memory. */
const PATIENCE_MS = 5_000;

/**
 * Opens the index, or makes it: where there is none, where it is of another version, and where it is no database or a
 * damaged one. Where the disk refuses it altogether, an index in memory does, for this once.
 */
export async function openIndexFile(file: string): Promise<DatabaseSync> {
  const { DatabaseSync } = await import("node:sqlite");
  const open = (path: string) => {
    const database = new DatabaseSync(path, { timeout: PATIENCE_MS });
    try {
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;");
      const { user_version: version } = database.prepare("PRAGMA user_version").get() ?? {};
      if (version === INDEX_VERSION) {
        database.prepare("SELECT count(*) FROM thread").get();
        return database;
      }
      if (version !== 0) throw new Error("The index is of another version.");
      inTransaction(database, () => {
        // Another process may have made them in the meantime.
        if (database.prepare("PRAGMA user_version").get()?.user_version === 0) createTables(database);
      });
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  };
  try {
    makePrivateDirectory(dirname(file));
    try {
      return open(file);
    } catch (error) {
      if (isBusy(error)) throw error;
      removeIndexFile(file);
      return open(file);
    }
  } catch {
    return open(":memory:");
  }
}

/** All of `work` or nothing. */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

export function removeIndexFile(file: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
}

/** SQLITE_CORRUPT, SQLITE_NOTADB, and SQLITE_ERROR for tables that are not what they should be. */
export function isDamage(error: unknown): boolean {
  const code = resultCode(error);
  return code !== undefined && [1, 11, 26].includes(code & 0xff);
}

/** SQLITE_BUSY, SQLITE_LOCKED. */
function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code !== undefined && [5, 6].includes(code & 0xff);
}

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined;
}
