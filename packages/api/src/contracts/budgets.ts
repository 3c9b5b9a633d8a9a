import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const budgets = {
  list: defineContract({
    method: "GET",
    path: "/api/budgets",
    operation: "listBudgets",
    summary: "Every node that has limits, with what it has spent",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/budgets.ts").then((schemas) => schemas.listBudgets),
  }),
  get: defineContract({
    method: "GET",
    path: "/api/budgets/{kind}/{id}",
    operation: "getBudget",
    summary: "The limits of a node and what it has spent",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/budgets.ts").then((schemas) => schemas.getBudget),
  }),
  put: defineContract({
    method: "PUT",
    path: "/api/budgets/{kind}/{id}",
    operation: "putBudget",
    summary: "Set the limits of a node, in place of those that it has; they hold at once",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/budgets.ts").then((schemas) => schemas.putBudget),
  }),
  delete: defineContract({
    method: "DELETE",
    path: "/api/budgets/{kind}/{id}",
    operation: "deleteBudget",
    summary: "Lift the limits of a node",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/budgets.ts").then((schemas) => schemas.deleteBudget),
  }),
} as const;
