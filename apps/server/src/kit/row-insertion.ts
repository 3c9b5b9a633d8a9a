import { CompiledQuery, type Kysely } from "kysely";
import type { Database } from "./database.ts";
import type { SqlValue } from "./sql-value.ts";

/** One statement that is run for each of these rows. Only inside of a transaction, and only SQLite's driver knows it. */
export type QueryForRows = CompiledQuery & { readonly rows: readonly (readonly SqlValue[])[] };

export function isForRows(query: CompiledQuery): query is QueryForRows {
  return "rows" in query;
}

type Plain = string | number | null;

/**
 * Puts rows into a table by what costs the engine least: on SQLite one statement for a row, prepared once, because one of
 * many rows takes it twice as long for each; on PostgreSQL one statement whose only parameter is JSON. All within the
 * transaction that is given: whoever uses it decides how many rows hold up the process.
 */
export function rowInsertion<Tables>(
  engine: Database["engine"],
  table: keyof Tables & string,
  columns: readonly string[],
): (transaction: Kysely<Tables>, rows: readonly { readonly [column: string]: Plain }[]) => Promise<void> {
  const names = columns.map((column) => `"${column}"`).join(", ");
  if (engine === "postgres") {
    const sql = `insert into "${table}" (${names}) select ${names} from json_populate_recordset(null::"${table}", $1)`;
    const query = CompiledQuery.raw(sql);
    return async (transaction, rows) => {
      await transaction.executeQuery({ ...query, parameters: [JSON.stringify(rows)] });
    };
  }
  const query = CompiledQuery.raw(`insert into "${table}" (${names}) values (${columns.map(() => "?").join(", ")})`);
  return async (transaction, rows) => {
    const values = rows.map((row) => columns.map((column) => row[column] ?? null));
    const forRows: QueryForRows = { ...query, rows: values };
    await transaction.executeQuery(forRows);
  };
}
