import { createHash } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import { Kysely, sql } from "kysely";
import { Pool } from "pg";
import type { Database, WriteOptions } from "./database.ts";
import { DatabaseError } from "./database-error.ts";
import type { PostgresAddress, PostgresTls } from "./postgres-address.ts";
import { postgresDialect } from "./postgres-dialect.ts";
import { postgresError } from "./postgres-error.ts";
import { POSTGRES_TYPES } from "./postgres-types.ts";
import { createTurns, type Turns } from "./turns.ts";

const CONNECT_MS = 5_000;
const LOCK_MS = 20_000;
const IDLE_IN_TRANSACTION_MS = 60_000;
/** A server that is gone without a word says nothing when its time is over either. */
const ANSWER_MARGIN_MS = 5_000;
const OLDEST = 15;

/** @throws DatabaseError with a whole sentence that names the place and not the password. */
export async function connectPostgres(address: PostgresAddress): Promise<Database> {
  const pool = createPool(address);
  const db = new Kysely<unknown>({ dialect: postgresDialect(pool, address.place) });
  try {
    await inspect(db);
  } catch (error) {
    await db.destroy();
    if (error instanceof DatabaseError && error.message.startsWith("The database ")) throw error;
    throw new DatabaseError(`The database ${address.place} ${postgresError(error).message}.`, { cause: error });
  }
  return databaseOf(address, db);
}

function createPool({ host, port, database, user, password, tls, options, ...bounds }: PostgresAddress): Pool {
  const pool = new Pool({
    host,
    port,
    database,
    user,
    // A function, so that no object that somebody prints holds it.
    ...(password === undefined ? {} : { password: () => password.expose() }),
    ssl: tls === undefined ? false : tlsOptions(tls),
    ...(options === undefined ? {} : { options }),
    application_name: "loom-server",
    max: bounds.poolSize,
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: 60_000,
    statement_timeout: bounds.statementTimeoutMs,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    query_timeout: bounds.statementTimeoutMs + ANSWER_MARGIN_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: POSTGRES_TYPES,
  });
  // Whoever uses a connection that breaks is told by the query; one that nobody uses leaves the pool.
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  return pool;
}

function tlsOptions({ verify, ca, cert, key }: PostgresTls): ConnectionOptions {
  return {
    rejectUnauthorized: verify !== "nothing",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(verify === "chain_and_name" ? {} : { checkServerIdentity: () => undefined }),
  };
}

async function inspect(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ version: string; encoding: string }>`
    select current_setting('server_version') as version, current_setting('server_encoding') as encoding
  `.execute(db);
  const { version = "", encoding = "" } = rows[0] ?? {};
  if (Number.parseInt(version, 10) < OLDEST) {
    throw new DatabaseError(`is PostgreSQL ${version}, which is too old: Loom needs ${OLDEST} or later`);
  }
  if (encoding !== "UTF8") {
    throw new DatabaseError(`keeps text as ${encoding}: make it anew with createdb -E UTF8 -T template0`);
  }
}

function databaseOf({ place }: PostgresAddress, db: Kysely<unknown>): Database {
  const turns = new Map<string, Turns>();
  /** In this process, they wait without a connection: those who only read would have none left. */
  const inTurn = <Result>(lock: string, work: () => Promise<Result>): Promise<Result> => {
    const own = turns.get(lock) ?? createTurns();
    turns.set(lock, own);
    return own(work);
  };
  const write = <Tables, Result>(
    work: (transaction: Kysely<Tables>) => Promise<Result>,
    { lock = "loom" }: WriteOptions = {},
  ): Promise<Result> => {
    if (lock === null) return db.transaction().execute((transaction) => work(typed(transaction)));
    return inTurn(lock, () =>
      db.transaction().execute(async (transaction) => {
        await sql`select pg_advisory_xact_lock(${lockKey(lock)}::bigint)`.execute(transaction);
        return work(typed(transaction));
      }),
    );
  };
  return {
    engine: "postgres",
    place,
    tables: () => typed(db),
    write,
    writeBehind: write,
    snapshot: (work) =>
      db.transaction().execute(async (transaction) => {
        await sql`set transaction isolation level repeatable read, read only`.execute(transaction);
        return work(typed(transaction));
      }),
    // A commit is on its disk before it is answered.
    sync: async () => {},
    async check() {
      await sql`select 1`.execute(db);
    },
    close: () => db.destroy(),
  };
}

/** The feature that asks knows which tables it has made; the kit does not. */
function typed<Tables>(db: Kysely<unknown>): Kysely<Tables> {
  return db as unknown as Kysely<Tables>;
}

/** Advisory locks have numbers and are those of the database: other programs in it use other ones. */
function lockKey(name: string): string {
  return createHash("sha256").update(`loom:${name}`).digest().readBigInt64BE().toString();
}
