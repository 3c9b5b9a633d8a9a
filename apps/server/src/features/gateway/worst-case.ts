import type { RouteStep, WorstCase } from "../../gateway-types.ts";
import type { Prices } from "../ledger/prices.ts";
import { BYTES_PER_TOKEN } from "./account.ts";
import type { Asked } from "./passage.ts";

/** Where a client gives no bound, this much output is held for it, in tokens. */
const DEFAULT_OUTPUT_TOKENS = 16_384;

const FREE: WorstCase = { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 };

/** What a request costs at most on this step of its route. */
export function worstCase({ target, question }: Asked, { upstream, model }: RouteStep, prices: Prices): WorstCase {
  if (question === undefined || target.operation !== "generate") return FREE;
  const inputTokens = Math.ceil(question.promptBytes / BYTES_PER_TOKEN);
  const outputTokens = question.maxOutputTokens ?? DEFAULT_OUTPUT_TOKENS;
  const usage = {
    inputTokens,
    outputTokens,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    cacheWriteLongTokens: 0,
    reasoningTokens: 0,
  };
  const price = prices.price(upstream, model, usage);
  return { inputTokens, outputTokens, ...(price === undefined ? {} : { costMicroUsd: price.costMicroUsd }) };
}
