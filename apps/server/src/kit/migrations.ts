import type { Kysely } from "kysely";
import { DatabaseError } from "./database-error.ts";

/** A step forward of one feature's tables. Never changed once released; there is no way back. */
export type Migration = {
  /** Unique within the feature, e.g. `0001_owner_tokens`. */
  readonly name: string;
  up(db: Kysely<unknown>): Promise<void>;
};

export type MigrationSet = { readonly feature: string; readonly migrations: readonly Migration[] };

type MigrationTable = { loom_migration: { id: string; applied_at: string } };

type Step = { readonly id: string; readonly migration: Migration };

/**
 * Brings the database to what this program knows, in one transaction that holds the write lock: of several processes
 * that start at once one does the work and the others find it done.
 * @throws DatabaseError where a newer program has been at the database.
 */
export async function migrate(db: Kysely<unknown>, sets: readonly MigrationSet[], now: () => Date): Promise<void> {
  const steps = sets.flatMap(({ feature, migrations }) =>
    migrations.map((migration): Step => ({ id: `${feature}/${migration.name}`, migration })),
  );
  await db.transaction().execute(async (transaction) => {
    const table = transaction.$extendTables<MigrationTable>();
    await transaction.schema
      .createTable("loom_migration")
      .ifNotExists()
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("applied_at", "text", (column) => column.notNull())
      .execute();
    const rows = await table.selectFrom("loom_migration").select("id").execute();
    for (const step of pendingSteps(steps, new Set(rows.map((row) => row.id)))) {
      await step.migration.up(transaction);
      await table.insertInto("loom_migration").values({ id: step.id, applied_at: now().toISOString() }).execute();
    }
  });
}

function pendingSteps(steps: readonly Step[], applied: ReadonlySet<string>): Step[] {
  const known = new Set(steps.map((step) => step.id));
  const foreign = [...applied].filter((id) => !known.has(id));
  if (foreign.length > 0) {
    throw new DatabaseError(
      `was made by a newer Loom (it has had the step ${foreign[0]}): install that version or a later one, or choose another data directory`,
    );
  }
  return steps.filter((step) => !applied.has(step.id));
}
