import { z } from "@hono/zod-openapi";
import type { Budget, BudgetLimits, Budgets } from "../budgets.ts";

const perMinute = z.int().min(1);
const money = z.int().min(0);

export const budgetLimits: z.ZodType<BudgetLimits> = z
  .strictObject({
    requestsPerMinute: perMinute.exactOptional(),
    tokensPerMinute: perMinute.exactOptional(),
    concurrency: z.int().min(1).exactOptional(),
    dayMicroUsd: money.exactOptional(),
    monthMicroUsd: money.exactOptional(),
    totalMicroUsd: money.exactOptional(),
    models: z.array(z.string().min(1).max(200)).min(1).max(100).exactOptional(),
  })
  .openapi("BudgetLimits", { description: "Absent: not limited. Money in micro-dollars, per day and month of UTC" });

const spent = z.strictObject({ dayMicroUsd: money, monthMicroUsd: money, totalMicroUsd: money }).openapi("BudgetSpent");

const budget: z.ZodType<Budget> = z
  .strictObject({
    kind: z.string(),
    id: z.string(),
    label: z.string().nullable(),
    limits: budgetLimits,
    spent: spent.nullable(),
  })
  .openapi("Budget");

const budgets: z.ZodType<Budgets> = z.strictObject({ budgets: z.array(budget) }).openapi("Budgets");

const params = z.object({
  kind: z.string().openapi({ description: "token, api_key, user, team, organization, model or session" }),
  id: z.string().openapi({ description: "The id of the node, percent-encoded; * stands for anything" }),
});

export const listBudgets = { response: budgets };
export const getBudget = { params, response: budget };
export const putBudget = { params, body: budgetLimits, response: budget };
export const deleteBudget = { params, response: budget };
