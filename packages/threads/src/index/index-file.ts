import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { createTables, INDEX_VERSION } from "./schema.ts";

/** How long another process may hold the index before this one goes on with an index of its own in memory. */
const PATIENCE_MS = 5_000;

/**
 * Opens the index, or makes it: where there is none, where it is of another version, and where it is no database or a
 * damaged one; then has `fill` bring it up to date. Where the disk refuses it altogether (it is full, or may only be
 * read) an index in memory does, for this once. @throws what `fill` throws that is not the database's.
 */
export async function openIndexFile(file: string, fill: (database: DatabaseSync) => void): Promise<DatabaseSync> {
  const { DatabaseSync } = await import("node:sqlite");
  const open = (path: string) => {
    const database = new DatabaseSync(path, { timeout: PATIENCE_MS });
    try {
      makeReady(database);
      fill(database);
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
      if (!isDamage(error)) throw error;
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
      return open(file);
    }
  } catch {
    return open(":memory:");
  }
}

function makeReady(database: DatabaseSync): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;");
  const version = versionOf(database);
  if (version === INDEX_VERSION) return;
  if (version !== 0) throw new OtherVersion("The index is of another version.");
  inTransaction(database, () => {
    // Another process may have made them in the meantime.
    if (versionOf(database) === 0) createTables(database);
  });
}

function versionOf(database: DatabaseSync): unknown {
  return database.prepare("PRAGMA user_version").get()?.user_version;
}

class OtherVersion extends Error {}

/** All of `work` or nothing. */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** SQLITE_CORRUPT, SQLITE_NOTADB, and SQLITE_ERROR for tables that are not what they should be. */
function isDamage(error: unknown): boolean {
  if (error instanceof OtherVersion) return true;
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" && [1, 11, 26].includes(code & 0xff);
}
