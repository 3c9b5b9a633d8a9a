import type { AgentLimits } from "./agent.ts";
import type { LlmFailure } from "./llm.ts";

/**
 * How long to wait before attempt `attempt + 1` (the first attempt is 0), in milliseconds: what the provider asked for,
 * else `min(base * 2^attempt, cap)` times a jitter of 0.5 to 1.5. `undefined` where trying again makes no sense.
 */
export function retryDelay(
  failure: LlmFailure,
  attempt: number,
  random: number,
  limits: AgentLimits,
): number | undefined {
  if (!failure.retryable || attempt + 1 >= limits.maxAttempts) return undefined;
  if (failure.retryAfterMs !== undefined) {
    return failure.retryAfterMs <= limits.maxRetryAfterMs ? Math.max(0, failure.retryAfterMs) : undefined;
  }
  const backoff = Math.min(limits.retryBaseMs * 2 ** attempt, limits.retryCapMs);
  return Math.round(backoff * (0.5 + random));
}

/**
 * The next number of a small generator (mulberry32): `value` is in [0, 1), `seed` is its state afterwards. Its state is
 * part of the machine's, so that a replay waits exactly as long as the run did.
 */
export function nextRandom(seed: number): { readonly value: number; readonly seed: number } {
  const next = (seed + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(next ^ (next >>> 15), next | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return { value: ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32, seed: next };
}
