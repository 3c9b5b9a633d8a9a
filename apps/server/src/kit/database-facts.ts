import { sql } from "kysely";
import type { Database } from "./database.ts";

export type DatabaseFacts = { readonly version: string; readonly bytes: number };

/** Whether SQLite finds its pages in order, all of which it reads. PostgreSQL has tools of its own for that. */
export async function isDamaged(database: Database): Promise<boolean> {
  if (database.engine !== "sqlite") return false;
  const { rows } = await sql<{ quick_check: string }>`pragma quick_check(1)`.execute(database.tables());
  return rows[0]?.quick_check !== "ok";
}

/** The engine's version, and what the whole database takes up on its disk. */
export async function databaseFacts(database: Database): Promise<DatabaseFacts> {
  const question =
    database.engine === "sqlite"
      ? sql<DatabaseFacts>`select sqlite_version() as version, (select page_count from pragma_page_count) * (select page_size from pragma_page_size) as bytes`
      : sql<DatabaseFacts>`select current_setting('server_version') as version, pg_database_size(current_database()) as bytes`;
  const { rows } = await question.execute(database.tables());
  return rows[0] ?? { version: "", bytes: 0 };
}
