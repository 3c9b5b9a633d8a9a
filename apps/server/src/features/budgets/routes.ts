import { api } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { Route } from "../../kit/route.ts";
import { route } from "../../kit/route.ts";
import type { BudgetService } from "./service.ts";

const KIND = /^[a-z][a-z_]{0,31}$/;
const MAX_ID = 256;

export function budgetRoutes(service: BudgetService): Route[] {
  return [
    route(api.budgets.list, { action: "read", resource: { type: "budget" } }, async () => {
      await service.refreshRules();
      return { budgets: service.list() };
    }),
    route(api.budgets.get, { action: "read", resource: budget }, async ({ params: { kind, id } }) => {
      await service.refreshRules();
      return service.get(kind, id) ?? noLimits(kind, id);
    }),
    route(api.budgets.put, { action: "administer", resource: budget }, ({ params: { kind, id }, body }) => {
      if (!KIND.test(kind)) throw wrong("kind", "must be a lower-case word, e.g. token, model or session");
      if (id === "" || id.length > MAX_ID) throw wrong("id", `must have 1 to ${MAX_ID} characters`);
      return service.put(kind, id, body);
    }),
    route(api.budgets.delete, { action: "administer", resource: budget }, async ({ params: { kind, id } }) => {
      await service.refreshRules();
      return (await service.remove(kind, id)) ?? noLimits(kind, id);
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

function wrong(field: string, message: string): ProblemError {
  return new ProblemError("invalid_input", `The ${field} of a budget ${message}.`, { errors: [{ field, message }] });
}
