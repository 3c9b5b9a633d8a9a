import type { Migration } from "../../kit/migrations.ts";

export type BudgetTables = {
  /** `limits` is JSON, `null` for a rule that was lifted; `revision` grows with every change of any rule. */
  budget_rule: { kind: string; id: string; label: string | null; limits: string | null; revision: number };
  /**
   * Settled costs of all processes; `revision` grows with every exchange. Where `period` is the name of a rate
   * (`shared-rates.ts`), millionths of its unit that were used until `updated_at`, and drain from then on.
   */
  budget_spent: { kind: string; id: string; period: string; micro_usd: number; updated_at: number; revision: number };
  /** What a process holds for the requests that it runs, until `expires_at` (Unix milliseconds). */
  budget_hold: {
    process: string;
    kind: string;
    id: string;
    period: string;
    micro_usd: number;
    expires_at: number;
    /** Of `micro_usd`, what requests hold; the rest is a slice in advance. */
    in_use: number;
    /** 1: another process is short of what is held here in advance. */
    wanted: number;
  };
  /** The last exchange of each process that was committed: what is told twice counts once. */
  budget_exchange: { process: string; sequence: number; at: number };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_budgets",
    async up(db) {
      const { sql } = await import("kysely");
      await db.schema
        .createTable("budget_rule")
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("id", "text", (column) => column.notNull())
        .addColumn("label", "text")
        .addColumn("limits", "text")
        .addColumn("revision", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("budget_rule_key", ["kind", "id"])
        .execute();
      await db.schema.createIndex("budget_rule_revision").on("budget_rule").column("revision").execute();
      await db.schema
        .createTable("budget_spent")
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("id", "text", (column) => column.notNull())
        .addColumn("period", "text", (column) => column.notNull())
        .addColumn("micro_usd", "bigint", (column) => column.notNull().check(sql`micro_usd >= 0`))
        .addColumn("updated_at", "bigint", (column) => column.notNull())
        .addColumn("revision", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("budget_spent_key", ["kind", "id", "period"])
        .execute();
      await db.schema.createIndex("budget_spent_revision").on("budget_spent").column("revision").execute();
      await db.schema
        .createTable("budget_hold")
        .addColumn("process", "text", (column) => column.notNull())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("id", "text", (column) => column.notNull())
        .addColumn("period", "text", (column) => column.notNull())
        .addColumn("micro_usd", "bigint", (column) => column.notNull())
        .addColumn("expires_at", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("budget_hold_key", ["kind", "id", "period", "process"])
        .execute();
    },
  },
  {
    name: "0002_budget_slices",
    async up(db) {
      for (const column of ["in_use", "wanted"]) {
        await db.schema
          .alterTable("budget_hold")
          .addColumn(column, "bigint", (definition) => definition.notNull().defaultTo(0))
          .execute();
      }
      await db.schema
        .createTable("budget_exchange")
        .addColumn("process", "text", (column) => column.primaryKey())
        .addColumn("sequence", "bigint", (column) => column.notNull())
        .addColumn("at", "bigint", (column) => column.notNull())
        .execute();
    },
  },
];
