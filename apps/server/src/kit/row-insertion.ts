import { CompiledQuery, type Kysely } from "kysely";
import type { Database } from "./database.ts";
import type { SqlValue } from "./sql-value.ts";

/** One statement that is run for each of these rows. Only inside of a transaction, and only SQLite's driver knows it. */
export type QueryForRows = CompiledQuery & { readonly rows: readonly (readonly SqlValue[])[] };

export function isForRows(query: CompiledQuery): query is QueryForRows {
  return "rows" in query;
}

type Columns = { readonly [name: string]: "bigint" | "text" };
type Plain = string | number | null;

/**
 * Puts rows into a table by what costs the engine least: on SQLite one statement for a row, prepared once, because one of
 * many rows takes it twice as long for each; on PostgreSQL one statement whose only parameter is JSON. All within the
 * transaction that is given: whoever uses it decides how many rows hold up the process. The values of a row stand in the
 * order of the columns.
 */
export function rowInsertion<Tables>(
  engine: Database["engine"],
  table: keyof Tables & string,
  columns: Columns,
): (transaction: Kysely<Tables>, rows: readonly (readonly Plain[])[]) => Promise<void> {
  const types = Object.values(columns);
  const into = `insert into "${table}" (${Object.keys(columns).map((name) => `"${name}"`)})`;
  if (engine === "postgres") {
    const values = types.map((type, index) => (type === "text" ? `r->>${index}` : `(r->>${index})::${type}`));
    const query = CompiledQuery.raw(`${into} select ${values} from jsonb_array_elements($1::jsonb) as r`);
    return async (transaction, rows) => {
      await transaction.executeQuery({ ...query, parameters: [JSON.stringify(rows)] });
    };
  }
  const query = CompiledQuery.raw(`${into} values (${types.map(() => "?")})`);
  return async (transaction, rows) => {
    const forRows: QueryForRows = { ...query, rows };
    await transaction.executeQuery(forRows);
  };
}
