import type { Database } from "./database.ts";
import type { Job } from "./jobs.ts";
import type { MigrationSet } from "./migrations.ts";

type JobTables = { loom_job: { name: string; started_at: number } };

/** Tables of the kit itself. */
export const KIT_MIGRATIONS: MigrationSet = {
  feature: "kit",
  migrations: [
    {
      name: "0001_job",
      async up(db) {
        await db.schema
          .createTable("loom_job")
          .addColumn("name", "text", (column) => column.primaryKey())
          .addColumn("started_at", "bigint", (column) => column.notNull())
          .execute();
      },
    },
    {
      name: "0002_idempotency_key",
      async up(db) {
        await db.schema
          .createTable("idempotency_key")
          .addColumn("owner", "text", (column) => column.notNull())
          .addColumn("key", "text", (column) => column.notNull())
          .addColumn("fingerprint", "text", (column) => column.notNull())
          .addColumn("made", "text", (column) => column.notNull())
          .addColumn("used_at", "bigint", (column) => column.notNull())
          .addPrimaryKeyConstraint("idempotency_key_key", ["owner", "key"])
          .execute();
        await db.schema.createIndex("idempotency_key_used").on("idempotency_key").column("used_at").execute();
      },
    },
  ],
};

/** Timers of two servers never agree to the millisecond. */
const EARLY = 0.9;

/**
 * Whether a run of this job is this server's: of all servers on the database one gets each period. Where it dies over the
 * work, another one gets the next. A start in the future was written by a clock that has been set back since.
 */
export async function claimJob({ name, everyMs }: Job, database: Database, now: number): Promise<boolean> {
  return database.writeBehind<JobTables, boolean>(
    async (transaction) => {
      await transaction
        .insertInto("loom_job")
        .values({ name, started_at: 0 })
        .onConflict((conflict) => conflict.column("name").doNothing())
        .execute();
      const [claimed] = await transaction
        .updateTable("loom_job")
        .set({ started_at: now })
        .where("name", "=", name)
        .where((where) =>
          where.or([where("started_at", "<=", now - everyMs * EARLY), where("started_at", ">", now + everyMs)]),
        )
        .execute();
      return (claimed?.numUpdatedRows ?? 0n) > 0n;
    },
    { lock: null },
  );
}
