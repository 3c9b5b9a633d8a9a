import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { BudgetTables } from "./migrations.ts";
import { createBudgetStore } from "./store.ts";

/** Limits for him and for his personal organization, and what was spent. A rule that is lifted stays as its id alone. */
export function purgeBudgets(database: () => Promise<Database>): PurgePerson {
  return async ({ id, personalOrganization }) => {
    const store = createBudgetStore(database);
    const nodes = [
      { kind: "user", id },
      ...(personalOrganization === undefined ? [] : [{ kind: "organization", id: personalOrganization }]),
    ];
    for (const node of nodes) {
      const opened = await database();
      const rule = await opened
        .tables<BudgetTables>()
        .selectFrom("budget_rule")
        .select("limits")
        .where("kind", "=", node.kind)
        .where("id", "=", node.id)
        .executeTakeFirst();
      if (rule !== undefined) await store.removeRule(node.kind, node.id);
      await opened.write<BudgetTables, unknown>(
        (db) =>
          db
            .deleteFrom("budget_spent")
            .where("kind", "=", node.kind)
            .where("id", "=", node.id)
            // Revisions go on from the newest row: it goes when its period is over.
            .where("revision", "<", (where) =>
              where.selectFrom("budget_spent").select(({ fn }) => fn.max("revision").as("newest")),
            )
            .execute(),
        { lock: "budgets" },
      );
    }
  };
}
