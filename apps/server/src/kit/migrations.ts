import { type Kysely, sql } from "kysely";
import type { Database } from "./database.ts";
import { DatabaseError } from "./database-error.ts";

/**
 * A step forward of one feature's tables, the same on every engine: Kysely's schema builder with the types `text`,
 * `integer`, `bigint`, `double precision`, `blob`. Never changed once released; there is no way back.
 */
export type Migration = {
  /** Unique within the feature, e.g. `0001_owner_tokens`. */
  readonly name: string;
  up(db: Kysely<unknown>): Promise<void>;
};

export type MigrationSet = { readonly feature: string; readonly migrations: readonly Migration[] };

export type MigrationState = {
  /** Ids of the steps that the database has had, in their order. */
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** Steps that this program does not know: a newer one has been here. */
  readonly foreign: readonly string[];
};

type MigrationTable = { loom_migration: { id: string; applied_at: string } };

type Step = { readonly id: string; readonly migration: Migration };

/** The lock's name; also whoever replaces a database's contents takes it. */
export const MIGRATION_LOCK = "migrations";

/**
 * Brings the database to what this program knows, in one transaction that holds the lock: of several processes that
 * start at once one does the work and the others find it done. Where a step fails, those before it stay.
 * @throws DatabaseError where a newer program has been at the database.
 */
export async function migrate(database: Database, sets: readonly MigrationSet[], now: () => Date): Promise<void> {
  const steps = stepsOf(sets);
  const failure = await database.write<MigrationTable, { readonly error: unknown } | undefined>(
    async (transaction) => {
      const untyped = transaction as unknown as Kysely<unknown>;
      // A step on large tables may take its time; on SQLite nothing interrupts it anyway.
      if (database.engine === "postgres") await sql`set local statement_timeout = 0`.execute(transaction);
      await transaction.schema
        .createTable("loom_migration")
        .ifNotExists()
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("applied_at", "text", (column) => column.notNull())
        .execute();
      for (const step of pendingSteps(steps, await appliedIn(transaction))) {
        await sql`savepoint step`.execute(transaction);
        try {
          await step.migration.up(untyped);
          await transaction
            .insertInto("loom_migration")
            .values({ id: step.id, applied_at: now().toISOString() })
            .execute();
        } catch (error) {
          await sql`rollback to savepoint step`.execute(transaction);
          return { error };
        }
        await sql`release savepoint step`.execute(transaction);
      }
      return undefined;
    },
    { lock: MIGRATION_LOCK },
  );
  if (failure !== undefined) throw failure.error;
}

/** What `migrate` would do. Changes nothing. */
export async function migrationState(database: Database, sets: readonly MigrationSet[]): Promise<MigrationState> {
  const db = database.tables<MigrationTable>();
  const tables = await db.introspection.getTables();
  const isEmpty = !tables.some(({ name }) => name === "loom_migration");
  const applied = isEmpty ? [] : await appliedIn(db);
  const ids = stepsOf(sets).map(({ id }) => id);
  return {
    applied: applied.filter((id) => ids.includes(id)),
    pending: ids.filter((id) => !applied.includes(id)),
    foreign: applied.filter((id) => !ids.includes(id)),
  };
}

function stepsOf(sets: readonly MigrationSet[]): Step[] {
  return sets.flatMap(({ feature, migrations }) =>
    migrations.map((migration): Step => ({ id: `${feature}/${migration.name}`, migration })),
  );
}

async function appliedIn(db: Kysely<MigrationTable>): Promise<string[]> {
  const rows = await db.selectFrom("loom_migration").select("id").orderBy("id").execute();
  return rows.map(({ id }) => id);
}

function pendingSteps(steps: readonly Step[], applied: readonly string[]): Step[] {
  const known = new Set(steps.map((step) => step.id));
  const foreign = applied.filter((id) => !known.has(id));
  if (foreign.length > 0) {
    throw new DatabaseError(
      `was made by a newer Loom (it has had the step ${foreign[0]}): install that version or a later one, or choose another database or data directory`,
    );
  }
  return steps.filter((step) => !applied.includes(step.id));
}
