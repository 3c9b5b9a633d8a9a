import type { BudgetLimits } from "@loom/api";

/** For a person, on one line. */
export function describeLimits(limits: BudgetLimits): string {
  const { dayMicroUsd, monthMicroUsd, totalMicroUsd, requestsPerMinute, tokensPerMinute, concurrency, models } = limits;
  const said = [
    dayMicroUsd === undefined ? [] : `${usd(dayMicroUsd)} a day`,
    monthMicroUsd === undefined ? [] : `${usd(monthMicroUsd)} a month`,
    totalMicroUsd === undefined ? [] : `${usd(totalMicroUsd)} in total`,
    requestsPerMinute === undefined ? [] : `${requestsPerMinute} requests/min`,
    tokensPerMinute === undefined ? [] : `${tokensPerMinute} tokens/min`,
    concurrency === undefined ? [] : `${concurrency} at once`,
    models === undefined ? [] : `models ${models.join(" ")}`,
  ].flat();
  return said.length === 0 ? "none" : said.join(", ");
}

export function usd(microUsd: number): string {
  return `${(microUsd / 1_000_000).toFixed(microUsd % 10_000 === 0 ? 2 : 6)} USD`;
}
