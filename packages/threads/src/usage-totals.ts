import { addUsage, type LlmResponse, NO_USAGE } from "@loom/core";
import type { UsageTotals } from "./record.ts";

export const NO_TOTALS: UsageTotals = { usage: NO_USAGE, costMicroUsd: 0, requests: 0, unpricedRequests: 0 };

/** The totals with one more answer. */
export function addResponse(totals: UsageTotals, response: Pick<LlmResponse, "usage" | "costMicroUsd">): UsageTotals {
  return {
    usage: addUsage(totals.usage, response.usage),
    costMicroUsd: totals.costMicroUsd + (response.costMicroUsd ?? 0),
    requests: totals.requests + 1,
    unpricedRequests: totals.unpricedRequests + (response.costMicroUsd === undefined ? 1 : 0),
  };
}
