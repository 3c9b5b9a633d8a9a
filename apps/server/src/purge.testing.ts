// What the tests of purges share: all features on a new database, and its tables.
import { sql } from "kysely";
import { everyFeature } from "./every-feature.testing.ts";
import type { PeopleServices } from "./features/people/index.ts";
import { purge } from "./features/people/purge.ts";
import type { Database } from "./kit/database.ts";
import type { Engine } from "./kit/engines.testing.ts";

export const LONG_AGO = "2025-01-01T00:00:00.000Z";

/** All features of a server that stays, and nobody in it but the one who came first. */
export async function startPurged(engine: Engine) {
  const every = await everyFeature(engine);
  const services = every.shared.all.find(({ name }) => name === "people")?.services as PeopleServices;
  await services.users.create({ email: "root@example.com", username: "root_person" });
  return {
    database: every.database,
    services,
    purge: () => purge(services.purging, every.audit, services.purgeElsewhere),
    [Symbol.asyncDispose]: () => every[Symbol.asyncDispose](),
  };
}

export type Column = { readonly table: string; readonly column: string };

/** Every column that can hold a text, of every table. */
export async function textColumns(database: Database): Promise<Column[]> {
  const db = database.tables();
  const { rows } =
    database.engine === "sqlite"
      ? await sql<Column>`select m.name as "table", c.name as "column" from sqlite_master m, pragma_table_info(m.name) c
          where m.type = 'table' and lower(c.type) = 'text' and m.name not like 'sqlite_%'`.execute(db)
      : await sql<Column>`select table_name as "table", column_name as "column" from information_schema.columns
          where table_schema = 'public' and data_type = 'text'`.execute(db);
  return rows;
}

/** Where one of these stands, as `table.column`. */
export async function placesOf(database: Database, values: readonly string[]): Promise<string[]> {
  const db = database.tables();
  const found: string[] = [];
  for (const { table, column } of await textColumns(database)) {
    const where = sql`${sql.ref(column)} in (${sql.join([...values])})`;
    const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)} where ${where}`.execute(db);
    if (Number(rows[0]?.n) > 0) found.push(`${table}.${column}`);
  }
  return found;
}

/** A row in each table for which there is one: `textOf` gives what is to stand in a column; `undefined` for anything. */
export async function fillTables(
  database: Database,
  isToFill: (table: string, columns: readonly string[]) => boolean,
  textOf: (table: string, column: string) => string | undefined,
): Promise<readonly string[]> {
  const tables = new Set((await textColumns(database)).map(({ table }) => table));
  const filled: string[] = [];
  for (const table of tables) {
    if (table.includes("_fts") || table.startsWith("thread_search")) continue;
    const columns = await columnsOf(database, table);
    const names = columns.map(({ name }) => name);
    if (!isToFill(table, names)) continue;
    const values = columns.map(({ name, type }) => {
      const value = textOf(table, name);
      if (value !== undefined) return sql`${value}`;
      if (/text|char/.test(type)) return sql`${name.endsWith("_at") ? LONG_AGO : `${table}-${name}`}`;
      if (/blob|bytea/.test(type)) return sql`${Buffer.from(`${table}-${name}`)}`;
      return sql`${1}`;
    });
    await sql`insert into ${sql.table(table)} (${sql.join(names.map((name) => sql.ref(name)))})
      values (${sql.join(values)})`.execute(database.tables());
    filled.push(table);
  }
  return filled;
}

async function columnsOf(database: Database, table: string): Promise<{ name: string; type: string }[]> {
  const db = database.tables();
  const { rows } =
    database.engine === "sqlite"
      ? await sql<{
          name: string;
          type: string;
        }>`select name, lower(type) as type from pragma_table_info(${table})`.execute(db)
      : await sql<{ name: string; type: string }>`select column_name as name, data_type as type
          from information_schema.columns where table_schema = 'public' and table_name = ${table}`.execute(db);
  return rows;
}
