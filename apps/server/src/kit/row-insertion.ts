import { CompiledQuery, type Kysely } from "kysely";
import type { Database } from "./database.ts";
import type { SqlValue } from "./sql-value.ts";

/** One statement that is run for each of these rows. Only inside of a transaction, and only SQLite's driver knows it. */
export type QueryForRows = CompiledQuery & { readonly rows: readonly (readonly SqlValue[])[] };

export function isForRows(query: CompiledQuery): query is QueryForRows {
  return "rows" in query;
}

type Columns = { readonly [name: string]: "bigint" | "double precision" | "integer" | "text" };
type Plain = string | number | null;

/**
 * Puts rows into a table by what costs the engine least: on SQLite one statement for a row, prepared once, because one of
 * many rows takes it twice as long for each; on PostgreSQL one statement whose only parameter is JSON. All within the
 * transaction that is given: whoever uses it decides how many rows hold up the process. The values of a row stand in the
 * order of the columns. A row whose value of the unique column `ifNew` is there already is left out.
 */
export function rowInsertion<Tables>(
  engine: Database["engine"],
  table: keyof Tables & string,
  columns: Columns,
  { ifNew }: { readonly ifNew?: keyof Columns & string } = {},
): (transaction: Kysely<Tables>, rows: readonly (readonly Plain[])[]) => Promise<void> {
  const types = Object.values(columns);
  const unless = ifNew === undefined ? "" : ` on conflict ("${ifNew}") do nothing`;
  const into = `insert into "${table}" (${Object.keys(columns).map((name) => `"${name}"`)})`;
  if (engine === "postgres") {
    const values = types.map((type, index) => (type === "text" ? `r->>${index}` : `(r->>${index})::${type}`));
    const query = CompiledQuery.raw(`${into} select ${values} from jsonb_array_elements($1::jsonb) as r${unless}`);
    return async (transaction, rows) => {
      await transaction.executeQuery({ ...query, parameters: [JSON.stringify(rows, wellFormed)] });
    };
  }
  const query = CompiledQuery.raw(`${into} values (${types.map(() => "?")})${unless}`);
  return async (transaction, rows) => {
    const forRows: QueryForRows = { ...query, rows };
    await transaction.executeQuery(forRows);
  };
}

/** Half a character is no JSON for PostgreSQL; as a parameter of its own, every engine takes it for U+FFFD. */
function wellFormed(_: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
