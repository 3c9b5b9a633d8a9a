// The database engines that tests run on: `describe.each(engines)`, and a new database for each test.
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Secret } from "@loom/config";
import { sql } from "kysely";
import { inject } from "vitest";
import { connectDatabase, type Database, type DatabasePlace, openDatabase } from "./database.ts";
import type { MigrationSet } from "./migrations.ts";
import { type PostgresAddress, parsePostgresUrl } from "./postgres-address.ts";
import { administer, TABLES_TEMPLATE } from "./postgres-cluster.testing.ts";

export type Engine = {
  readonly name: "SQLite" | "PostgreSQL";
  /** For a whole server. On PostgreSQL its tables are there. */
  create(): Promise<TestHome>;
  /** For tests of tables, and for a server's first start. */
  createEmpty(): Promise<TestHome>;
};

/** A directory for a server, and a database of its own: both gone at the end of the test. */
export type TestHome = {
  readonly path: string;
  readonly place: DatabasePlace;
  /** As `startServer` takes it. */
  readonly postgres: PostgresAddress | undefined;
  /** The same for the server as a process. */
  readonly env: Readonly<Record<string, string>>;
  [Symbol.asyncDispose](): Promise<void>;
};

const desk = inject("postgresDesk");

export const sqlite: Engine = { name: "SQLite", create: sqliteHome, createEmpty: sqliteHome };

const postgres: Engine = {
  name: "PostgreSQL",
  create: () => postgresHome(TABLES_TEMPLATE),
  createEmpty: () => postgresHome("template1"),
};

async function sqliteHome(): Promise<TestHome> {
  const path = await mkdtemp(join(tmpdir(), "loom-"));
  return {
    path,
    place: { file: join(path, "loom-server.sqlite") },
    postgres: undefined,
    env: {},
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

async function postgresHome(template: string): Promise<TestHome> {
  const path = await mkdtemp(join(tmpdir(), "loom-"));
  const admin = await text(connect(desk));
  const name = `loom_${randomBytes(8).toString("hex")}`;
  await administer(admin, `create database ${name} template ${template}`);
  const url = admin.replace("/postgres?", `/${name}?`);
  const address = parsePostgresUrl(new Secret(url), "the test");
  return {
    path,
    place: { postgres: address },
    postgres: address,
    env: { LOOM_SERVER_DATABASE_URL: url },
    async [Symbol.asyncDispose]() {
      await administer(admin, `drop database if exists ${name} with (force)`);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL where it is installed, and SQLite. */
export const engines: readonly Engine[] = desk === "" ? [sqlite] : [sqlite, postgres];

/** One database, and as many ways to it as servers. */
export type TestDatabase = TestHome & {
  /** Another one on the same database; closed together with it. */
  open(): Promise<Database>;
};

export async function testDatabase(engine: Engine, migrations: readonly MigrationSet[]): Promise<TestDatabase> {
  const test = await engine.createEmpty();
  const opened: Database[] = [];
  return {
    ...test,
    async open() {
      const database = await openDatabase({ ...test.place, migrations });
      opened.push(database);
      return database;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((database) => database.close().catch(() => undefined)));
      await test[Symbol.asyncDispose]();
    },
  };
}

/** Every byte that a reader of the database could see. */
export async function everythingIn({ place }: TestHome): Promise<string> {
  if ("file" in place) {
    const files = [place.file, `${place.file}-wal`].map((file) => readFile(file, "latin1").catch(() => ""));
    return (await Promise.all(files)).join();
  }
  const database = await connectDatabase(place);
  try {
    const db = database.tables<Record<string, { row: string }>>();
    const tables = await db.introspection.getTables();
    const rows = tables.map(({ name }) =>
      db
        .selectFrom(name)
        .select(sql<string>`${sql.table(name)}::text`.as("row"))
        .execute(),
    );
    return JSON.stringify(await Promise.all(rows));
  } finally {
    await database.close();
  }
}
