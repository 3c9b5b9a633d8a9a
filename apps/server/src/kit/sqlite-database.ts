import { chmodSync, closeSync, openSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { Kysely, sql } from "kysely";
import type { Database } from "./database.ts";
import { DatabaseError, sqliteError } from "./database-error.ts";
import { whileBusy } from "./sqlite-busy.ts";
import { type CheckpointPace, SqliteCheckpointer } from "./sqlite-checkpointer.ts";
import { type Pace, sqliteDialect } from "./sqlite-dialect.ts";

/** Opens, or makes, the file. @throws DatabaseError with a whole sentence that names it. */
export async function connectSqlite(file: string, pace?: CheckpointPace): Promise<Database> {
  try {
    makePrivateFile(file);
    const connection = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: true });
    try {
      await configure(connection);
      const setLongestLog = (pages: number) => connection.exec(`PRAGMA wal_autocheckpoint = ${pages}`);
      return sqliteDatabase(file, connection, new SqliteCheckpointer(file, setLongestLog, pace));
    } catch (error) {
      connection.close();
      throw error;
    }
  } catch (error) {
    throw named(file, error);
  }
}

/** `place` is for sentences. Without `checkpointer`, SQLite looks after its log by itself. */
export function sqliteDatabase(place: string, connection: DatabaseSync, checkpointer?: SqliteCheckpointer): Database {
  const pace: Pace = {};
  const db = new Kysely<unknown>({ dialect: sqliteDialect(connection, place, pace) });
  const log = new WriteAheadLog(place);
  // Waits for nobody: between two attempts the connection is free for those who read.
  const attempt = <Tables, Result>(
    work: (transaction: Kysely<Tables>) => Promise<Result>,
    { synchronous }: { readonly synchronous?: "NORMAL" } = {},
  ): Promise<Result> =>
    db.connection().execute(async (held) => {
      pace.patienceMs = 0;
      if (synchronous !== undefined) connection.exec("PRAGMA synchronous = NORMAL");
      try {
        const result = await held.transaction().execute((transaction) => work(typed<Tables>(transaction)));
        checkpointer?.committed();
        return result;
      } finally {
        pace.patienceMs = undefined;
        if (synchronous !== undefined) connection.exec("PRAGMA synchronous = FULL");
      }
    });
  return {
    engine: "sqlite",
    place,
    tables: () => typed(db),
    write: (work) => whileBusy(() => attempt(work)),
    writeBehind: (work, { patienceMs = 0 } = {}) =>
      whileBusy(() => attempt(work, { synchronous: "NORMAL" }), patienceMs),
    snapshot: (work) =>
      db.connection().execute(async (held) => {
        await sql`begin deferred`.execute(held);
        try {
          return await work(typed(held));
        } finally {
          await sql`rollback`.execute(held);
        }
      }),
    sync: () => log.sync(),
    async check() {
      try {
        connection.prepare("SELECT count(*) FROM loom_migration").get();
      } catch (error) {
        throw named(place, error);
      }
    },
    async close() {
      await checkpointer?.close();
      await db.destroy();
      await log.close();
    },
  };
}

/** The feature that asks knows which tables it has made; the kit does not. */
function typed<Tables>(db: Kysely<unknown>): Kysely<Tables> {
  return db as unknown as Kysely<Tables>;
}

async function configure(connection: DatabaseSync): Promise<void> {
  // Readers and the writer do not wait for each other.
  await whileBusy(() => connection.exec("PRAGMA journal_mode = WAL"));
  // What has been answered with "done" survives a power cut.
  connection.exec("PRAGMA synchronous = FULL");
  connection.exec("PRAGMA trusted_schema = OFF");
}

/**
 * Any descriptor of the file will do, and it stays the same file while the database is open. SQLite has no lock on this one
 * that closing ours could take away.
 */
class WriteAheadLog {
  readonly #file: string;
  #opened: Promise<FileHandle | undefined> | undefined;

  constructor(database: string) {
    this.#file = `${database}-wal`;
  }

  async sync(): Promise<void> {
    this.#opened ??= open(this.#file, "r").catch(() => undefined);
    const log = await this.#opened;
    // Nothing was ever written.
    if (log === undefined) this.#opened = undefined;
    await log?.datasync();
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await (await opened)?.close();
  }
}

/** SQLite would make the file readable for everybody; its side files take over the mode that it has. */
function makePrivateFile(file: string): void {
  makePrivateDirectory(dirname(file));
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
}

function named(file: string, error: unknown): DatabaseError {
  if (error instanceof Error && "syscall" in error) {
    const code = "code" in error ? error.code : "unknown error";
    const hint =
      code === "ENOSPC" ? "the disk is full: make room" : "make its directory writable, or choose another one";
    return new DatabaseError(`The database ${file} cannot be made (${code}): ${hint}.`, { cause: error });
  }
  return sqliteError(error, file);
}
