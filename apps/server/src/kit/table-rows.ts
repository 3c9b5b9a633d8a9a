import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { TableShape } from "./table-shapes.ts";

/** The values of a row in the order of the table's columns, as JSON can say them: bytes are base64. */
export type RowValues = readonly (string | number | null)[];

/** Of a table: what two copies of it have in common, on whatever engine. */
export type TableSum = { readonly table: string; readonly rows: number; readonly sha256: string };

type Columns = Pick<TableShape, "name" | "columns" | "key">;
type AnyTables = Record<string, Record<string, unknown>>;

/** At once in memory. */
const BATCH_ROWS = 500;
/** Of one statement: SQLite takes 32,766. */
const MAX_PARAMETERS = 10_000;

/** All rows in the order of the primary key, in batches; text sorts by its bytes on every engine. */
export async function* readRows(db: Kysely<AnyTables>, shape: Columns): AsyncGenerator<RowValues[]> {
  const key = sql.join(shape.key.map((column) => sql.ref(column)));
  let after: RowValues | undefined;
  for (;;) {
    let query = db
      .selectFrom(shape.name)
      .select([...shape.columns])
      .limit(BATCH_ROWS);
    for (const column of shape.key) query = query.orderBy(column);
    if (after !== undefined) query = query.where(sql<boolean>`(${key}) > (${sql.join([...after])})`);
    const rows = await query.execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map((row) => shape.columns.map((column) => plain(row[column])));
    if (rows.length < BATCH_ROWS) return;
    after = shape.key.map((column) => last[column] as string | number);
  }
}

export async function insertRows(db: Kysely<AnyTables>, shape: TableShape, rows: readonly RowValues[]): Promise<void> {
  const most = Math.max(1, Math.floor(MAX_PARAMETERS / shape.columns.length));
  for (let start = 0; start < rows.length; start += most) {
    const values = rows.slice(start, start + most).map((row) =>
      Object.fromEntries(
        shape.columns.map((column, index) => {
          const value = row[index] ?? null;
          return [column, shape.blobs.has(column) && typeof value === "string" ? Buffer.from(value, "base64") : value];
        }),
      ),
    );
    await db.insertInto(shape.name).values(values).execute();
  }
}

export async function sumOf(db: Kysely<AnyTables>, shape: Columns): Promise<TableSum> {
  const sum = createTableSum(shape.name);
  for await (const rows of readRows(db, shape)) sum.add(rows);
  return sum.done();
}

/** Whether it holds nothing but what its migrations have put there. */
export async function isUntouched(db: Kysely<AnyTables>, shape: TableShape): Promise<boolean> {
  const { seed, name } = shape;
  const rows = await db
    .selectFrom(name)
    .select(sql<number>`1`.as("one"))
    .limit(seed.rows + 1)
    .execute();
  if (rows.length !== seed.rows) return false;
  return seed.rows === 0 || (await sumOf(db, shape)).sha256 === seed.sha256;
}

/** Adds up a table while its rows pass. */
export function createTableSum(table: string) {
  const hash = createHash("sha256");
  let rows = 0;
  return {
    add(batch: readonly RowValues[]): void {
      for (const row of batch) hash.update(`${JSON.stringify(row)}\n`);
      rows += batch.length;
    },
    done: (): TableSum => ({ table, rows, sha256: hash.digest("hex") }),
  };
}

/** PostgreSQL's text has no NUL: two copies are the same where one has put U+FFFD in its place. */
function plain(value: unknown): string | number | null {
  if (value === null || typeof value === "number") return value;
  if (typeof value === "string") return value.replaceAll("\0", "\uFFFD");
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  throw new TypeError(`A row holds a value of type ${typeof value}`);
}
