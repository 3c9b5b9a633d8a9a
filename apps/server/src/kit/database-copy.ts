import type { Kysely } from "kysely";
import type { Database } from "./database.ts";
import { DatabaseError } from "./database-error.ts";
import { MIGRATION_LOCK } from "./migrations.ts";
import { createTableSum, insertRows, isUntouched, readRows, sumOf, type TableSum } from "./table-rows.ts";
import type { TableShape } from "./table-shapes.ts";

type AnyTables = Record<string, Record<string, unknown>>;

export type CopyOptions = {
  readonly from: Database;
  readonly to: Database;
  readonly shapes: readonly TableShape[];
  /** Deletes what the target holds; without it, a target that holds anything is refused. */
  readonly replaces: boolean;
  readonly onTable?: (sum: TableSum) => void;
};

/**
 * Copies all rows from one database to another one with the same tables, whatever their engines: one state of the
 * source, in one transaction of the target. When it resolves, both have the same rows by number and checksum; when it
 * rejects, nothing has changed. Holds some hundreds of rows in memory.
 * @throws DatabaseError
 */
export async function copyDatabase({ from, to, shapes, replaces, onTable }: CopyOptions): Promise<TableSum[]> {
  return from.snapshot<AnyTables, TableSum[]>((source) =>
    to.write<AnyTables, TableSum[]>(
      async (target) => {
        await makeRoom(target, to.place, shapes, replaces);
        const sums: TableSum[] = [];
        for (const shape of shapes) {
          const sum = createTableSum(shape.name);
          for await (const rows of readRows(source, shape)) {
            await insertRows(target, shape, rows);
            sum.add(rows);
          }
          const copied = sum.done();
          await compare(target, shape, copied, to.place);
          sums.push(copied);
          onTable?.(copied);
        }
        return sums;
      },
      { lock: MIGRATION_LOCK },
    ),
  );
}

async function makeRoom(target: Kysely<AnyTables>, place: string, shapes: readonly TableShape[], replaces: boolean) {
  // What refers to others goes before them.
  for (const shape of [...shapes].reverse()) {
    if (!replaces && !(await isUntouched(target, shape))) {
      throw new DatabaseError(
        `The database ${place} is not empty (the table ${shape.name} has rows): choose an empty one, or say --force to delete what it holds.`,
      );
    }
    await target.deleteFrom(shape.name).execute();
  }
}

/** Reads again what was written: the engine may have understood something else. */
async function compare(target: Kysely<AnyTables>, shape: TableShape, expected: TableSum, place: string): Promise<void> {
  const { rows, sha256 } = await sumOf(target, shape);
  if (rows === expected.rows && sha256 === expected.sha256) return;
  throw new DatabaseError(
    `The database ${place} gives back something else than was written to the table ${shape.name} (${rows} rows for ${expected.rows}): nothing was changed; report this.`,
  );
}
