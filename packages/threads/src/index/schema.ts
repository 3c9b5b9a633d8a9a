import type { DatabaseSync } from "node:sqlite";

/** Raised with every change of the tables or of how text is told apart: an older index is then made anew. */
export const INDEX_VERSION = 2;

/**
 * An index over the threads' files. Nothing here is the only copy of anything. Text is not kept, only what it is found
 * by: an entry says where in its file the text stands.
 */
export function createTables(database: DatabaseSync): void {
  database.exec(`
    CREATE TABLE thread (
      key INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      -- The state of the file that was read, and how far; anchor: digest of the bytes before that place.
      size INTEGER NOT NULL, modified_ms REAL NOT NULL, inode INTEGER NOT NULL,
      position INTEGER NOT NULL, anchor TEXT NOT NULL,
      damaged TEXT NOT NULL,
      facts TEXT NOT NULL,
      updated_at TEXT NOT NULL, workspace TEXT NOT NULL, remote TEXT, visibility TEXT NOT NULL,
      pinned INTEGER NOT NULL, private INTEGER NOT NULL, deleted INTEGER NOT NULL,
      tags TEXT NOT NULL, models TEXT NOT NULL
    );
    CREATE INDEX thread_updated ON thread (updated_at);
    CREATE TABLE entry (
      key INTEGER PRIMARY KEY, thread INTEGER NOT NULL, turn INTEGER NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
      position INTEGER NOT NULL, length INTEGER NOT NULL
    );
    CREATE INDEX entry_thread ON entry (thread, role);
    CREATE VIRTUAL TABLE entry_text USING fts5
      (body, names, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '3');
    -- Long outputs that an entry refers to and that could not be read when it was: they may come, or be mended, later.
    CREATE TABLE awaited (sha256 TEXT NOT NULL, entry INTEGER NOT NULL, thread INTEGER NOT NULL, PRIMARY KEY (sha256, entry))
      WITHOUT ROWID;
    CREATE INDEX awaited_thread ON awaited (thread);
    CREATE TABLE commit_of (sha TEXT NOT NULL, thread INTEGER NOT NULL, at TEXT NOT NULL, PRIMARY KEY (sha, thread))
      WITHOUT ROWID;
    PRAGMA user_version = ${INDEX_VERSION};
  `);
}
