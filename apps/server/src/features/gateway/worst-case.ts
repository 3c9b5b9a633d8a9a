import { NO_USAGE, type Usage } from "@loom/core";
import type { RouteStep, WorstCase } from "../../gateway-types.ts";
import type { Prices } from "../ledger/prices.ts";
import { BYTES_PER_TOKEN, mostOutput } from "./output-bound.ts";
import type { Asked } from "./passage.ts";

const FREE: WorstCase = { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 };
/** Of the models whose window nobody knows, in tokens. */
const LARGEST_WINDOW = 1_000_000;

const UNKNOWN: WorstCase = { inputTokens: 0, outputTokens: 0, isUnbounded: true };

/** What a request costs at most on this step of its route. */
export function worstCase({ target, question }: Asked, { upstream, model }: RouteStep, prices: Prices): WorstCase {
  const { operation } = target;
  if (operation !== "generate" && operation !== "use") return FREE;
  if (question === undefined) return UNKNOWN;
  const { promptBytes, refersBack } = question;
  const promptTokens = Math.ceil(promptBytes / BYTES_PER_TOKEN);
  if (question.isUnbounded === true) return { ...UNKNOWN, inputTokens: promptTokens };
  const window = prices.contextWindow(upstream, model);
  const inputTokens = refersBack ? Math.max(promptTokens, window ?? LARGEST_WINDOW) : promptTokens;
  const outputTokens = mostOutput(question, window);
  const most = dearest({ upstream, model }, { inputTokens, outputTokens }, prices);
  return most === undefined ? { inputTokens, outputTokens } : { inputTokens, outputTokens, costMicroUsd: most };
}

/** A prompt may be plain, or go to a cache, which costs more, for an hour the most. */
function dearest(
  { upstream, model }: Pick<RouteStep, "upstream" | "model">,
  { inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number },
  prices: Prices,
): number | undefined {
  const now = Date.now();
  const costOf = (usage: Usage): number | undefined => prices.price(upstream, model, usage, now)?.costMicroUsd;
  const plain = costOf({ ...NO_USAGE, inputTokens, outputTokens });
  if (plain === undefined) return undefined;
  const cached = costOf({ ...NO_USAGE, cacheWriteTokens: inputTokens, outputTokens });
  const cachedLong = costOf({
    ...NO_USAGE,
    cacheWriteTokens: inputTokens,
    cacheWriteLongTokens: inputTokens,
    outputTokens,
  });
  return cached === undefined || cachedLong === undefined ? undefined : Math.max(plain, cached, cachedLong);
}
