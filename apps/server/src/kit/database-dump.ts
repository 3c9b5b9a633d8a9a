import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { Database } from "./database.ts";
import { DatabaseError } from "./database-error.ts";
import { createTableSum, insertRows, type RowValues, readRows, type TableSum } from "./table-rows.ts";
import type { TableShape } from "./table-shapes.ts";

type AnyTables = Record<string, Record<string, unknown>>;

/** The first line. */
export type DumpHead = {
  readonly format: "loom-dump";
  readonly version: 1;
  readonly at: string;
  readonly migrations: readonly string[];
};
/** Before the rows of a table, each of which is a line with an array. */
type DumpTable = { readonly table: string; readonly columns: readonly string[] };
/** The last line: without it, the file is cut off. */
type DumpManifest = { readonly tables: readonly TableSum[] };

const INSERT_ROWS = 500;

/**
 * Writes one state of the database as JSON lines, compressed with gzip: a head, each table's name, columns and rows, and
 * a manifest with the number of rows and the SHA-256 of each table's lines. Every engine can read it.
 */
export async function writeDump(
  database: Database,
  shapes: readonly TableShape[],
  options: { readonly file: string; readonly migrations: readonly string[]; readonly at: Date },
): Promise<TableSum[]> {
  const sums: TableSum[] = [];
  async function* lines(db: Parameters<typeof readRows>[0]): AsyncGenerator<string> {
    const { migrations, at } = options;
    yield line({ format: "loom-dump", version: 1, at: at.toISOString(), migrations } satisfies DumpHead);
    for (const shape of shapes) {
      yield line({ table: shape.name, columns: shape.columns } satisfies DumpTable);
      const sum = createTableSum(shape.name);
      for await (const rows of readRows(db, shape)) {
        sum.add(rows);
        yield rows.map(line).join("");
      }
      sums.push(sum.done());
    }
    yield line({ tables: sums } satisfies DumpManifest);
  }
  const sink = createWriteStream(options.file, { mode: 0o600, flags: "wx", flush: true });
  await database.snapshot<AnyTables, void>((db) => pipeline(Readable.from(lines(db)), createGzip(), sink));
  return sums;
}

/** @throws DatabaseError where the file is no dump. */
export async function readDumpHead(file: string): Promise<DumpHead> {
  for await (const value of values(file)) {
    if (isHead(value)) return value;
    break;
  }
  throw damaged(file, "it does not begin like one");
}

/**
 * Reads a dump into a database, in place of what its tables hold, in one transaction, and compares it with its own manifest.
 * @throws DatabaseError where the file is cut off or damaged; nothing has changed then.
 */
export async function readDump(file: string, database: Database, shapes: readonly TableShape[]): Promise<void> {
  await database.write<AnyTables, void>(async (db) => {
    for (const { name } of [...shapes].reverse()) await db.deleteFrom(name).execute();
    let current: { readonly shape: TableShape; readonly sum: ReturnType<typeof createTableSum> } | undefined;
    let rows: RowValues[] = [];
    const sums: TableSum[] = [];
    const flush = async (): Promise<void> => {
      if (current === undefined) return;
      await insertRows(db, current.shape, rows);
      current.sum.add(rows);
      rows = [];
    };
    for await (const value of values(file)) {
      if (Array.isArray(value)) {
        if (current === undefined || value.length !== current.shape.columns.length)
          throw damaged(file, "a row fits no table");
        rows.push(value as RowValues);
        if (rows.length >= INSERT_ROWS) await flush();
        continue;
      }
      await flush();
      if (isManifest(value)) {
        if (current !== undefined) sums.push(current.sum.done());
        compare(file, value, sums);
        return;
      }
      if (isTable(value)) {
        if (current !== undefined) sums.push(current.sum.done());
        const shape = shapes.find(({ name }) => name === value.table);
        if (shape === undefined) throw damaged(file, `it has an unknown table ${JSON.stringify(value.table)}`);
        current = { shape: { ...shape, columns: value.columns }, sum: createTableSum(shape.name) };
      }
    }
    throw damaged(file, "its end is missing");
  });
}

async function* values(file: string): AsyncGenerator<unknown> {
  const source = createReadStream(file);
  const text = createGunzip();
  // An error of either ends the reading of lines below.
  const moved = pipeline(source, text).catch((error: unknown) => error);
  const lines = createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const each of lines) yield JSON.parse(each);
  } catch (error) {
    throw damaged(file, error instanceof Error ? error.message : String(error));
  } finally {
    lines.close();
    source.destroy();
    text.destroy();
  }
  const error = await moved;
  if (error instanceof Error) throw damaged(file, error.message);
}

function compare(file: string, { tables }: DumpManifest, read: readonly TableSum[]): void {
  for (const sum of tables) {
    const own = read.find(({ table }) => table === sum.table);
    if (own?.rows !== sum.rows || own.sha256 !== sum.sha256)
      throw damaged(file, `the table ${sum.table} is not what it was`);
  }
}

function damaged(file: string, why: string): DatabaseError {
  return new DatabaseError(`The file ${file} is no whole backup of Loom (${why}): nothing was changed.`);
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function isHead(value: unknown): value is DumpHead {
  const head = value as Partial<DumpHead> | null;
  return head?.format === "loom-dump" && head.version === 1 && Array.isArray(head.migrations);
}

function isTable(value: unknown): value is DumpTable {
  return typeof value === "object" && value !== null && "table" in value && "columns" in value;
}

function isManifest(value: unknown): value is DumpManifest {
  return typeof value === "object" && value !== null && "tables" in value;
}
