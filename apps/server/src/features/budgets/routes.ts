import { api } from "@loom/api";
import { isPattern } from "../../kit/name-pattern.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { Route } from "../../kit/route.ts";
import { route } from "../../kit/route.ts";
import { BUDGET_KINDS, MAX_BUDGET_ID } from "./kinds.ts";
import type { BudgetService } from "./service.ts";

export function budgetRoutes(service: BudgetService): Route[] {
  const idOf = async (kind: string, id: string): Promise<string> =>
    kind === "token" ? ((await service.tokenIdOf(id)) ?? id) : id;
  return [
    route(api.budgets.list, { action: "read", resource: { type: "budget" } }, async () => {
      await service.refreshRules();
      return { budgets: service.list() };
    }),
    route(api.budgets.get, { action: "read", resource: budget }, async ({ params: { kind, id } }) => {
      await service.refreshRules();
      return service.get(kind, await idOf(kind, id)) ?? noLimits(kind, id);
    }),
    route(
      api.budgets.put,
      { action: "administer", resource: budget },
      async ({ params: { kind, id }, body, audit }) => {
        if (!BUDGET_KINDS.includes(kind)) throw wrong("kind", `must be one of ${BUDGET_KINDS.join(", ")}`);
        if (id === "" || id.length > MAX_BUDGET_ID) throw wrong("id", `must have 1 to ${MAX_BUDGET_ID} characters`);
        const node = kind !== "token" || isPattern(id) ? id : await service.tokenIdOf(id);
        if (node === undefined) throw noToken(id);
        await service.refreshRules();
        const before = service.get(kind, node)?.limits;
        const budget = await service.put(kind, node, body);
        await audit({
          event: "budget.changed",
          outcome: "success",
          target: { type: "budget", id: `${kind}/${node}` },
          ...(before === undefined ? {} : { before }),
          after: budget.limits,
        });
        return budget;
      },
    ),
    route(api.budgets.delete, { action: "administer", resource: budget }, async ({ params: { kind, id }, audit }) => {
      await service.refreshRules();
      const node = await idOf(kind, id);
      const removed = (await service.remove(kind, node)) ?? noLimits(kind, id);
      await audit({
        event: "budget.removed",
        outcome: "success",
        target: { type: "budget", id: `${kind}/${node}` },
        before: removed.limits,
      });
      return removed;
    }),
  ];
}

function budget({ kind, id }: { readonly kind: string; readonly id: string }) {
  return { type: "budget", id: `${kind}/${id}` } as const;
}

function noLimits(kind: string, id: string): never {
  const name = JSON.stringify(`${kind}/${id}`.slice(0, 80));
  throw new ProblemError("not_found", `There are no limits on ${name}; GET /api/budgets lists what is limited.`);
}

function noToken(idOrName: string): ProblemError {
  const shown = JSON.stringify(idOrName.slice(0, 80));
  return new ProblemError("not_found", `There is no token ${shown}: give the id or the name of one, or a pattern.`);
}

function wrong(field: string, message: string): ProblemError {
  return new ProblemError("invalid_input", `The ${field} of a budget ${message}.`, { errors: [{ field, message }] });
}
