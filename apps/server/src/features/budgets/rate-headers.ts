import type { BudgetedNode } from "./budgeted-node.ts";
import type { TokenBucket } from "./token-bucket.ts";

/**
 * What is left of the limits per minute, in the names of OpenAI (platform.openai.com/docs/guides/rate-limits) and of
 * Anthropic (docs.claude.com/en/api/rate-limits), of the node that has least left. Empty without such limits.
 */
export function rateHeaders(
  nodes: readonly BudgetedNode[],
  now: number,
  wall: number,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const name of ["requests", "tokens"] as const) {
    const bucket = tightest(nodes, name, now);
    if (bucket === undefined) continue;
    const left = String(Math.max(0, Math.floor(bucket.level(now))));
    const resetMs = bucket.untilFull(now);
    headers[`x-ratelimit-limit-${name}`] = String(bucket.perMinute);
    headers[`x-ratelimit-remaining-${name}`] = left;
    headers[`x-ratelimit-reset-${name}`] = duration(resetMs);
    headers[`anthropic-ratelimit-${name}-limit`] = String(bucket.perMinute);
    headers[`anthropic-ratelimit-${name}-remaining`] = left;
    headers[`anthropic-ratelimit-${name}-reset`] = rfc3339(wall + resetMs);
  }
  return headers;
}

function tightest(nodes: readonly BudgetedNode[], name: "requests" | "tokens", now: number): TokenBucket | undefined {
  let least: TokenBucket | undefined;
  for (const node of nodes) {
    const bucket = node[name];
    if (bucket !== undefined && (least === undefined || bucket.level(now) < least.level(now))) least = bucket;
  }
  return least;
}

/** As OpenAI writes it: `120ms`, `6s`, `1m30s`. */
function duration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

/** In whole seconds. The same one is asked for by every request of that second, and making it costs more than all else here. */
function rfc3339(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastTime.second) lastTime = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return lastTime.text;
}

let lastTime = { second: Number.NaN, text: "" };
