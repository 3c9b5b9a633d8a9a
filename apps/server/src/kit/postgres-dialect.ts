import {
  ColumnDefinitionNode,
  type CompiledQuery,
  type DatabaseConnection,
  type DataTypeNode,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely";
import type { Pool, PoolClient } from "pg";
import { isOutage, withOutageNamed } from "./postgres-error.ts";
import { sqlValue } from "./sql-value.ts";

/**
 * Kysely on `pg`, made to mean what SQLite means: everything that differs between the engines is in this file and in
 * `postgres-types.ts`. A connection that broke is thrown away; the next query has a new one.
 */
export function postgresDialect(pool: Pool, place: string): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PgDriver(pool, place),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PortableCompiler(),
  };
}

/** What a column's type is called here. Text sorts and compares by its bytes, as in SQLite; its integers have 64 bits. */
const COLUMN_TYPES: Readonly<Record<string, string>> = {
  text: 'text collate "C"',
  blob: "bytea",
  integer: "bigint",
  real: "double precision",
};

class PortableCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    const inColumn = this.parentNode !== undefined && ColumnDefinitionNode.is(this.parentNode);
    const own = inColumn ? COLUMN_TYPES[node.dataType] : undefined;
    if (own === undefined) super.visitDataType(node);
    else this.append(own);
  }
}

class PgDriver implements Driver {
  readonly #pool: Pool;
  readonly #place: string;

  constructor(pool: Pool, place: string) {
    this.#pool = pool;
    this.#place = place;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PgConnection> {
    try {
      return new PgConnection(await this.#pool.connect(), this.#place);
    } catch (error) {
      throw withOutageNamed(error, this.#place);
    }
  }

  async beginTransaction(connection: PgConnection): Promise<void> {
    await connection.command("begin");
  }

  async commitTransaction(connection: PgConnection): Promise<void> {
    // PostgreSQL answers a COMMIT of what has failed before with ROLLBACK, and not with an error.
    const command = await connection.command("commit");
    if (command !== "COMMIT") throw new Error("The transaction had failed before and was rolled back.");
  }

  async rollbackTransaction(connection: PgConnection): Promise<void> {
    await connection.rollback();
  }

  async releaseConnection(connection: PgConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

class PgConnection implements DatabaseConnection {
  readonly #client: PoolClient;
  readonly #place: string;
  #broken = false;

  constructor(client: PoolClient, place: string) {
    this.#client = client;
    this.#place = place;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, rowCount, command } = await this.#query(sql, parameters.map(pgValue));
    const changes = command !== "SELECT" && rowCount !== null ? { numAffectedRows: BigInt(rowCount) } : {};
    return { rows: (rows ?? []) as Row[], ...changes };
  }

  async command(sql: string): Promise<string> {
    return (await this.#query(sql)).command;
  }

  /** A connection on which even this fails is of no use; closing it rolls back as well. */
  async rollback(): Promise<void> {
    if (this.#broken) return;
    await this.#query("rollback").catch(() => {
      this.#broken = true;
    });
  }

  release(): void {
    this.#client.release(this.#broken);
  }

  /** Needs a transaction around it. */
  async *streamQuery<Row>(
    { sql, parameters }: CompiledQuery,
    chunkSize: number,
  ): AsyncIterableIterator<QueryResult<Row>> {
    await this.#query(`declare loom_stream no scroll cursor for ${sql}`, parameters.map(pgValue));
    try {
      for (;;) {
        const { rows } = await this.#query(`fetch ${Math.max(1, chunkSize)} from loom_stream`);
        if (rows.length === 0) return;
        yield { rows: rows as Row[] };
      }
    } finally {
      await this.#query("close loom_stream");
    }
  }

  async #query(sql: string, parameters?: unknown[]) {
    try {
      return await this.#client.query(sql, parameters);
    } catch (error) {
      if (isOutage(error)) this.#broken = true;
      throw withOutageNamed(error, this.#place);
    }
  }
}

const NUL = /\0/g;

/** Its text holds every character but one. */
function pgValue(value: unknown): unknown {
  const plain = sqlValue(value);
  return typeof plain === "string" && plain.includes("\0") ? plain.replace(NUL, "\uFFFD") : plain;
}
