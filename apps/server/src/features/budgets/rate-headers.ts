import type { BudgetedNode } from "./budgeted-node.ts";
import type { MinuteLimit } from "./token-bucket.ts";

export type RateHeaders = Readonly<Record<string, string>>;

/**
 * What is left of the limits per minute, in the names of OpenAI (platform.openai.com/docs/guides/rate-limits) and of
 * Anthropic (docs.claude.com/en/api/rate-limits), of the node that has least left. Empty without such limits.
 */
export function rateHeaders(nodes: readonly BudgetedNode[], now: number, wall: number): RateHeaders {
  const requests = tightest(nodes, "requests", now);
  const tokens = tightest(nodes, "tokens", now);
  if (requests === undefined) return tokens === undefined ? {} : ofTokens(tokens, now, wall);
  return tokens === undefined ? ofRequests(requests, now, wall) : ofBoth(requests, tokens, now, wall);
}

/** Every request asks for these: with names that are made each time they would cost more than all limits together. */
function ofRequests(bucket: MinuteLimit, now: number, wall: number): RateHeaders {
  const limit = String(bucket.perMinute);
  const left = leftIn(bucket, now);
  const resetMs = bucket.untilFull(now);
  return {
    "x-ratelimit-limit-requests": limit,
    "x-ratelimit-remaining-requests": left,
    "x-ratelimit-reset-requests": duration(resetMs),
    "anthropic-ratelimit-requests-limit": limit,
    "anthropic-ratelimit-requests-remaining": left,
    "anthropic-ratelimit-requests-reset": rfc3339(wall + resetMs),
  };
}

function ofTokens(bucket: MinuteLimit, now: number, wall: number): RateHeaders {
  const limit = String(bucket.perMinute);
  const left = leftIn(bucket, now);
  const resetMs = bucket.untilFull(now);
  return {
    "x-ratelimit-limit-tokens": limit,
    "x-ratelimit-remaining-tokens": left,
    "x-ratelimit-reset-tokens": duration(resetMs),
    "anthropic-ratelimit-tokens-limit": limit,
    "anthropic-ratelimit-tokens-remaining": left,
    "anthropic-ratelimit-tokens-reset": rfc3339(wall + resetMs),
  };
}

/** Written out: to spread one into the other would cost as much again. */
function ofBoth(requests: MinuteLimit, tokens: MinuteLimit, now: number, wall: number): RateHeaders {
  const requestLimit = String(requests.perMinute);
  const requestsLeft = leftIn(requests, now);
  const requestsResetMs = requests.untilFull(now);
  const tokenLimit = String(tokens.perMinute);
  const tokensLeft = leftIn(tokens, now);
  const tokensResetMs = tokens.untilFull(now);
  return {
    "x-ratelimit-limit-requests": requestLimit,
    "x-ratelimit-remaining-requests": requestsLeft,
    "x-ratelimit-reset-requests": duration(requestsResetMs),
    "anthropic-ratelimit-requests-limit": requestLimit,
    "anthropic-ratelimit-requests-remaining": requestsLeft,
    "anthropic-ratelimit-requests-reset": rfc3339(wall + requestsResetMs),
    "x-ratelimit-limit-tokens": tokenLimit,
    "x-ratelimit-remaining-tokens": tokensLeft,
    "x-ratelimit-reset-tokens": duration(tokensResetMs),
    "anthropic-ratelimit-tokens-limit": tokenLimit,
    "anthropic-ratelimit-tokens-remaining": tokensLeft,
    "anthropic-ratelimit-tokens-reset": rfc3339(wall + tokensResetMs),
  };
}

function leftIn(bucket: MinuteLimit, now: number): string {
  return String(Math.max(0, Math.floor(bucket.level(now))));
}

function tightest(nodes: readonly BudgetedNode[], name: "requests" | "tokens", now: number): MinuteLimit | undefined {
  let least: MinuteLimit | undefined;
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

/** In whole seconds. All requests of a second ask for the same two or so, and making one costs more than all else here. */
function rfc3339(ms: number): string {
  const second = Math.floor(ms / 1000);
  const known = times.get(second);
  if (known !== undefined) return known;
  if (times.size >= MAX_TIMES) times.clear();
  const text = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;
  times.set(second, text);
  return text;
}

const times = new Map<number, string>();
const MAX_TIMES = 64;
