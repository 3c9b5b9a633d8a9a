import { sql } from "kysely";
import type { Database } from "./database.ts";

export type DatabaseFacts = { readonly version: string; readonly bytes: number };

/** The engine's version, and what the whole database takes up on its disk. */
export async function databaseFacts(database: Database): Promise<DatabaseFacts> {
  const question =
    database.engine === "sqlite"
      ? sql<DatabaseFacts>`select sqlite_version() as version, (select page_count from pragma_page_count) * (select page_size from pragma_page_size) as bytes`
      : sql<DatabaseFacts>`select current_setting('server_version') as version, pg_database_size(current_database()) as bytes`;
  const { rows } = await question.execute(database.tables());
  return rows[0] ?? { version: "", bytes: 0 };
}
