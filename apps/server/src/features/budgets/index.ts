import type { BudgetNode } from "../../gateway-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { budgetRoutes } from "./routes.ts";
import { type BudgetService, type BudgetServiceOptions, createBudgetService, type TokenIdOf } from "./service.ts";
import { createBudgetStore } from "./store.ts";

export type BudgetNeeds = {
  /** Whether models without a known price may be used by those who have a budget. */
  readonly allowUnpriced: boolean;
  readonly tokenIdOf?: TokenIdOf;
  readonly trace?: BudgetServiceOptions["trace"];
};

/** Limits of rate and money on tokens, models, sessions and whatever else a request is charged to. */
export const budgets = defineFeature<BudgetService, BudgetNeeds>({
  name: "budgets",
  migrations,
  onPurge: (_, { database }) => {
    const purge = async (nodes: readonly BudgetNode[]) => {
      const { purgeBudgets } = await import("./purge-nodes.ts");
      await purgeBudgets(database, nodes);
    };
    const teamNodes = (teams: readonly string[]) => teams.map((id) => ({ kind: "team", id }));
    return {
      person: ({ id }) => purge([{ kind: "user", id }]),
      organization: ({ id, teams }) => purge([{ kind: "organization", id }, ...teamNodes(teams)]),
      teams: {
        nextAfter: async (id) => (await import("./purge-nodes.ts")).nextTeamAfter(database, id),
        purge: (id) => purge(teamNodes([id])),
      },
    };
  },
  services: ({ database, log }, needs) => createBudgetService({ store: createBudgetStore(database), log, ...needs }),
  routes: budgetRoutes,
  jobs: (service) => [
    every("1 s", "refresh_budgets", () => service.refresh()),
    every("1 h", "purge_budgets", () => service.purge(), { once: true }),
  ],
  health: (service) => [
    { name: "budgets", run: () => service.save(), detail: () => ({ clockAheadMs: service.clockAheadMs() }) },
  ],
});
