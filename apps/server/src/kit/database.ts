import { chmodSync, closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { Kysely } from "kysely";
import { DatabaseError, databaseError } from "./database-error.ts";
import type { MigrationSet } from "./migrations.ts";
import { whileBusy } from "./sqlite-busy.ts";
import type { Pace } from "./sqlite-dialect.ts";

/** An open database with all its migrations done. Each feature knows the types of its own tables and of no others. */
export type Database = {
  readonly file: string;
  tables<Tables>(): Kysely<Tables>;
  /**
   * All of `work` or nothing. Holds the write lock from its beginning; keep it short, and nothing but SQL in it. Waits up
   * to five seconds for another process's write, and holds up nobody who reads meanwhile.
   */
  write<Tables, Result>(work: (transaction: Kysely<Tables>) => Promise<Result>): Promise<Result>;
  /**
   * Like `write`, for work that can be done again from elsewhere until `sync` has resolved. Waits neither for another
   * process's write, where it fails at once, nor for the disk: nothing else in this process is held up.
   */
  writeBehind<Tables, Result>(work: (transaction: Kysely<Tables>) => Promise<Result>): Promise<Result>;
  /** Resolves when everything that was committed by now survives a power cut. */
  sync(): Promise<void>;
  /** @throws DatabaseError where the database does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  readonly file: string;
  readonly migrations: readonly MigrationSet[];
  readonly now?: () => Date;
};

/**
 * Opens, or makes, the SQLite file: mode 0600, in a directory of mode 0700 if that has to be made too.
 * @throws DatabaseError with a whole sentence that names the file.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { file, migrations, now = () => new Date() } = options;
  try {
    makePrivateFile(file);
    const [{ DatabaseSync }, { Kysely }, { sqliteDialect }, { migrate }] = await Promise.all([
      import("node:sqlite"),
      import("kysely"),
      import("./sqlite-dialect.ts"),
      import("./migrations.ts"),
    ]);
    const connection = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: true });
    const pace: Pace = {};
    const db = new Kysely<unknown>({ dialect: sqliteDialect(connection, pace) });
    try {
      await configure(connection);
      await migrate(db, migrations, now);
    } catch (error) {
      connection.close();
      throw error;
    }
    return {
      file,
      tables: () => typed(db),
      // Between two attempts the connection is free: nobody who only reads waits for another process's write.
      write: (work) =>
        whileBusy(() =>
          db.connection().execute(async (held) => {
            pace.patienceMs = 0;
            try {
              return await held.transaction().execute((transaction) => work(typed(transaction)));
            } finally {
              pace.patienceMs = undefined;
            }
          }),
        ),
      writeBehind: (work) =>
        db.connection().execute(async (held) => {
          pace.patienceMs = 0;
          connection.exec("PRAGMA synchronous = NORMAL");
          try {
            return await held.transaction().execute((transaction) => work(typed(transaction)));
          } finally {
            pace.patienceMs = undefined;
            connection.exec("PRAGMA synchronous = FULL");
          }
        }),
      sync: () => syncWriteAheadLog(file),
      async check() {
        try {
          connection.prepare("SELECT count(*) FROM loom_migration").get();
        } catch (error) {
          throw named(file, error);
        }
      },
      close: () => db.destroy(),
    };
  } catch (error) {
    throw named(file, error);
  }
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

/** Any descriptor of the file will do. SQLite has no lock on this one that closing ours could take away. */
async function syncWriteAheadLog(file: string): Promise<void> {
  const { open } = await import("node:fs/promises");
  const log = await open(`${file}-wal`, "r").catch(() => undefined);
  try {
    await log?.datasync();
  } finally {
    await log?.close();
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
  return new DatabaseError(`The database ${file} ${databaseError(error).message}.`, { cause: error });
}
