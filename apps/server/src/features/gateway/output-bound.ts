import type { RouteStep } from "../../gateway-types.ts";
import type { Prices } from "../ledger/prices.ts";

/** Of a usual text; good enough for a limit, and a tokenizer would hold up every other request. */
export const BYTES_PER_TOKEN = 4;

/** Where a client gives no bound, this much output is held for it, in tokens: what codecs ask for in its place. */
const DEFAULT_OUTPUT_TOKENS = 32_000;

/** The most that an answer is taken to be long before it is counted, in tokens. `allowed`: the client's bound, if it gives one. */
export function mostOutput(
  allowed: number | undefined,
  step: Pick<RouteStep, "upstream" | "model"> | undefined,
  prices: Prices,
): number {
  // No answer is longer, whatever bound the client gives.
  const window = step === undefined ? undefined : prices.contextWindow(step.upstream, step.model);
  return Math.min(allowed ?? DEFAULT_OUTPUT_TOKENS, window ?? Number.POSITIVE_INFINITY);
}
