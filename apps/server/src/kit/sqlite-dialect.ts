import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from "kysely";
import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { withSqliteOutageNamed } from "./database-error.ts";
import { isForRows, type QueryForRows } from "./row-insertion.ts";
import { sqlValue } from "./sql-value.ts";
import { whileBusy } from "./sqlite-busy.ts";

/**
 * Kysely on Node's own SQLite. One connection; Kysely lets one query or transaction at a time use it. Transactions take
 * the write lock when they begin (`BEGIN IMMEDIATE`): one that read first and wrote later could fail half-way, because
 * SQLite does not let it wait for another writer at that point. `place` is for sentences.
 * @throws DatabaseUnavailable from queries and transactions, while the file is locked, damaged, or cannot be read or written.
 */
export function sqliteDialect(database: DatabaseSync, place: string, pace: Pace = {}): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new NodeSqliteDriver(database, place, pace),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Shared with whoever holds the connection. `patienceMs`: how long it waits for a write elsewhere; default 5,000. */
export type Pace = { patienceMs?: number | undefined };

class NodeSqliteDriver implements Driver {
  readonly #database: DatabaseSync;
  readonly #place: string;
  readonly #pace: Pace;
  readonly #connection: DatabaseConnection;

  constructor(database: DatabaseSync, place: string, pace: Pace) {
    this.#database = database;
    this.#place = place;
    this.#pace = pace;
    this.#connection = new NodeSqliteConnection(database, place, pace);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  async beginTransaction(): Promise<void> {
    await named(this.#place, () => whileBusy(() => this.#database.exec("BEGIN IMMEDIATE"), this.#pace.patienceMs));
  }

  async commitTransaction(): Promise<void> {
    await named(this.#place, () => this.#database.exec("COMMIT"));
  }

  async rollbackTransaction(): Promise<void> {
    // A full disk rolls back by itself, and then there is nothing left to roll back.
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#database.close();
  }
}

/** Statements that are kept ready: preparing one costs more than running it. */
const MAX_PREPARED = 100;

type Prepared = { readonly statement: StatementSync; readonly givesRows: boolean };

class NodeSqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #place: string;
  readonly #pace: Pace;
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: DatabaseSync, place: string, pace: Pace) {
    this.#database = database;
    this.#place = place;
    this.#pace = pace;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    if (isForRows(query)) return named(this.#place, () => this.#runForEach<Row>(query));
    const parameters = query.parameters.map(sqlValue);
    const work = (): QueryResult<Row> => {
      const { statement, givesRows } = this.#prepare(query.sql);
      if (givesRows) return { rows: statement.all(...parameters) as Row[] };
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return { rows: [], insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes) };
    };
    return named(this.#place, () => whileBusy(work, this.#pace.patienceMs));
  }

  /** Its transaction has the write lock already: there is nothing to wait for. */
  #runForEach<Row>({ sql, rows }: QueryForRows): QueryResult<Row> {
    const { statement } = this.#prepare(sql);
    for (const values of rows) statement.run(...values);
    return { rows: [], numAffectedRows: BigInt(rows.length) };
  }

  /** For statements that run to their end at once. SQLite prepares them again by itself where a table has changed. */
  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      prepared = { statement, givesRows: statement.columns().length > 0 };
      const [oldest] = this.#prepared.keys();
      if (oldest !== undefined && this.#prepared.size >= MAX_PREPARED) this.#prepared.delete(oldest);
      this.#prepared.set(sql, prepared);
    }
    return prepared;
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    try {
      const statement = this.#database.prepare(query.sql);
      for (const row of statement.iterate(...query.parameters.map(sqlValue))) yield { rows: [row as Row] };
    } catch (error) {
      throw withSqliteOutageNamed(error, this.#place);
    }
  }
}

async function named<Result>(place: string, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw withSqliteOutageNamed(error, place);
  }
}
