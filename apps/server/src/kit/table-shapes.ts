import { DatabaseSync } from "node:sqlite";
import { type MigrationSet, migrate } from "./migrations.ts";
import { sqliteDatabase } from "./sqlite-database.ts";
import { sumOf, type TableSum } from "./table-rows.ts";

/** A table as the migrations make it. */
export type TableShape = {
  readonly name: string;
  readonly columns: readonly string[];
  /** Those that hold bytes. */
  readonly blobs: ReadonlySet<string>;
  readonly key: readonly string[];
  /** The rows that the migrations themselves put into it. */
  readonly seed: TableSum;
};

/** Known to the migrations themselves, and never copied. */
const OWN = "loom_migration";

/**
 * The tables of these migrations, in the order in which they were made: what another one refers to comes before it. Found
 * out by making them, in memory; a database may hold other programs' tables as well.
 * @throws Error where a table has no primary key.
 */
export async function tableShapes(migrations: readonly MigrationSet[]): Promise<TableShape[]> {
  const memory = new DatabaseSync(":memory:");
  const database = sqliteDatabase(":memory:", memory);
  try {
    await migrate(database, migrations, () => new Date());
    const tables = memory
      .prepare(
        `SELECT s.name FROM sqlite_schema AS s JOIN pragma_table_list AS t ON t.name = s.name AND t.schema = 'main'
         WHERE s.type = 'table' AND t.type = 'table' AND s.name NOT LIKE 'sqlite_%' AND s.name <> ? ORDER BY s.rowid`,
      )
      .all(OWN) as { name: string }[];
    const shapes: TableShape[] = [];
    for (const { name } of tables) {
      const shape = shapeOf(memory, name);
      shapes.push({ ...shape, seed: await sumOf(database.tables(), shape) });
    }
    return shapes;
  } finally {
    await database.close();
  }
}

function shapeOf(memory: DatabaseSync, name: string): Omit<TableShape, "seed"> {
  const columns = memory.prepare("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid").all(name) as {
    name: string;
    type: string;
    pk: number;
  }[];
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  if (key.length === 0) throw new Error(`The table ${name} has no primary key.`);
  return {
    name,
    columns: columns.map((column) => column.name),
    blobs: new Set(columns.filter(({ type }) => type.toLowerCase() === "blob").map((column) => column.name)),
    key: key.map((column) => column.name),
  };
}
