import type { BudgetNode } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import type { BudgetTables } from "./migrations.ts";
import { createBudgetStore } from "./store.ts";

/** Limits for whoever is gone, and what was spent. A rule that is lifted stays as its id alone. */
export async function purgeBudgets(database: () => Promise<Database>, nodes: readonly BudgetNode[]): Promise<void> {
  const store = createBudgetStore(database);
  for (const node of nodes) {
    const opened = await database();
    const rule = await opened
      .tables<BudgetTables>()
      .selectFrom("budget_rule")
      .select("limits")
      .where("kind", "=", node.kind)
      .where("id", "=", node.id)
      .where("limits", "is not", null)
      .executeTakeFirst();
    if (rule !== undefined) await store.removeRule(node.kind, node.id);
    await opened.write<BudgetTables, void>(
      async (db) => {
        await db.deleteFrom("budget_hold").where("kind", "=", node.kind).where("id", "=", node.id).execute();
        await db
          .deleteFrom("budget_spent")
          .where("kind", "=", node.kind)
          .where("id", "=", node.id)
          // Revisions go on from the newest row: it goes when its period is over.
          .where("revision", "<", (where) =>
            where.selectFrom("budget_spent").select(({ fn }) => fn.max("revision").as("newest")),
          )
          .execute();
      },
      { lock: "budgets" },
    );
  }
}

/** Of the teams that have limits, or for which something was spent or is held, the next one by its id. */
export async function nextTeamAfter(database: () => Promise<Database>, after: string): Promise<string | undefined> {
  const db = (await database()).tables<BudgetTables>();
  const firstIn = (table: "budget_rule" | "budget_spent" | "budget_hold") =>
    db
      .selectFrom(table)
      .select(({ fn }) => fn.min("id").as("id"))
      .where("kind", "=", "team")
      .where("id", ">", after);
  const { id } = await db
    .selectFrom(
      firstIn("budget_rule")
        .where("limits", "is not", null)
        .unionAll(firstIn("budget_spent"))
        .unionAll(firstIn("budget_hold"))
        .as("first"),
    )
    .select(({ fn }) => fn.min("id").as("id"))
    .executeTakeFirstOrThrow();
  return id ?? undefined;
}
