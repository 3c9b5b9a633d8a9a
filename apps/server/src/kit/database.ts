import type { Kysely } from "kysely";
import { DatabaseError } from "./database-error.ts";
import type { MigrationSet } from "./migrations.ts";
import type { PostgresAddress } from "./postgres-address.ts";

/** An open database with all its migrations done. Each feature knows the types of its own tables and of no others. */
export type Database = {
  readonly engine: "sqlite" | "postgres";
  /** The file, or the address without its password: for sentences and logs. */
  readonly place: string;
  tables<Tables>(): Kysely<Tables>;
  /**
   * All of `work` or nothing. Holds the write lock from its beginning: of all `write`s of all servers on this database
   * one runs at a time, so that what it reads first is still so when it writes. Keep it short, and nothing but SQL in it.
   * Waits for another process's write, on SQLite up to five seconds, and holds up nobody who reads meanwhile.
   */
  write<Tables, Result>(
    work: (transaction: Kysely<Tables>) => Promise<Result>,
    options?: WriteOptions,
  ): Promise<Result>;
  /**
   * For work that can be done again from elsewhere until `sync` has resolved. On SQLite it waits neither for another
   * process's write, where it fails at once, nor for the disk: nothing else in this process is held up. On PostgreSQL it
   * is like `write`.
   */
  writeBehind<Tables, Result>(
    work: (transaction: Kysely<Tables>) => Promise<Result>,
    options?: WriteOptions & {
      /** How long it does wait for another process's write on SQLite, in milliseconds. Default 0. */
      readonly patienceMs?: number;
    },
  ): Promise<Result>;
  /** One state of the whole database, whatever is written meanwhile. Nothing can be written in it. */
  snapshot<Tables, Result>(work: (view: Kysely<Tables>) => Promise<Result>): Promise<Result>;
  /** Resolves when everything that was committed by now survives a power cut. */
  sync(): Promise<void>;
  /** @throws DatabaseError where the database does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
};

export type WriteOptions = {
  /**
   * Writes of one name wait for each other; `null`: for nobody, where every statement makes sense by itself. SQLite knows
   * only one lock, whatever its name. Default `loom`.
   */
  readonly lock?: string | null;
};

/** Where a database is. */
export type DatabasePlace = { readonly file: string } | { readonly postgres: PostgresAddress };

export type DatabaseOptions = DatabasePlace & {
  readonly migrations: readonly MigrationSet[];
  readonly now?: () => Date;
};

/**
 * Opens the database and brings it to what this program knows. A file is made where there is none: mode 0600, in a
 * directory of mode 0700 if that has to be made too.
 * @throws DatabaseError with a whole sentence that names the place.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { migrations, now = () => new Date() } = options;
  const [database, { migrate }] = await Promise.all([connectDatabase(options), import("./migrations.ts")]);
  try {
    await migrate(database, migrations, now);
    return database;
  } catch (error) {
    await database.close();
    throw await explained(database, error);
  }
}

/** As `openDatabase`, with the tables as they are. */
export async function connectDatabase(place: DatabasePlace): Promise<Database> {
  if ("file" in place) return (await import("./sqlite-database.ts")).connectSqlite(place.file);
  return (await import("./postgres-database.ts")).connectPostgres(place.postgres);
}

/** A whole sentence that names the place. */
export async function explained({ engine, place }: Database, error: unknown): Promise<DatabaseError> {
  const { isWholeSentence, sqliteError } = await import("./database-error.ts");
  if (isWholeSentence(error)) return error;
  if (engine === "sqlite") return sqliteError(error, place);
  const { postgresError } = await import("./postgres-error.ts");
  return new DatabaseError(`The database ${place} ${postgresError(error).message}.`, { cause: error });
}
