import type { Usage } from "@loom/core";
import type { PriceList, Rates } from "./data.ts";

const TOKENS_PER_PRICE = 1_000_000;
/** Of one search by a tool of Anthropic's, the only one whose number comes with the tokens; in micro-dollars. */
const WEB_SEARCH_PRICE = 10_000;

/**
 * What an answer cost, in micro-dollars, rounded once, half up. Exact: the sum is made in whole numbers of any size.
 * Counts of tokens are whole numbers. `undefined` where no list is in force.
 */
export function costOf(prices: readonly PriceList[], usage: Usage, atMs: number): number | undefined {
  const list = listInForce(prices, atMs);
  if (list === undefined) return undefined;
  const rates = ratesFor(list, usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens);
  const longTokens = Math.min(usage.cacheWriteLongTokens, usage.cacheWriteTokens);
  const cacheRead = rates.cacheRead ?? rates.input;
  const cacheWrite = rates.cacheWrite ?? rates.input;
  const cacheWriteLong = rates.cacheWriteLong ?? cacheWrite;
  const { webSearches = 0 } = usage;
  const searches = webSearches * WEB_SEARCH_PRICE * TOKENS_PER_PRICE;
  const total =
    searches +
    usage.inputTokens * rates.input +
    usage.cacheReadTokens * cacheRead +
    (usage.cacheWriteTokens - longTokens) * cacheWrite +
    longTokens * cacheWriteLong +
    usage.outputTokens * rates.output;
  // Whole numbers are exact up to here, which is some nine thousand dollars.
  if (total <= Number.MAX_SAFE_INTEGER - TOKENS_PER_PRICE) {
    return Math.floor((total + TOKENS_PER_PRICE / 2) / TOKENS_PER_PRICE);
  }
  const shares = [
    [usage.inputTokens, rates.input],
    [usage.cacheReadTokens, cacheRead],
    [usage.cacheWriteTokens - longTokens, cacheWrite],
    [longTokens, cacheWriteLong],
    [usage.outputTokens, rates.output],
    [webSearches * TOKENS_PER_PRICE, WEB_SEARCH_PRICE],
  ] as const;
  const exact = shares.reduce((sum, [tokens, price]) => sum + BigInt(tokens) * BigInt(price), 0n);
  return Number((exact + BigInt(TOKENS_PER_PRICE / 2)) / BigInt(TOKENS_PER_PRICE));
}

/** The rates of a list for a request of this size. */
function ratesFor(list: PriceList, inputTokens: number): Rates {
  let rates: Rates = list;
  if (list.tiers === undefined) return rates;
  for (const tier of list.tiers) if (inputTokens > tier.above) rates = { ...rates, ...tier };
  return rates;
}

/** The last list whose condition holds; the first one where none does. */
function listInForce(prices: readonly PriceList[], atMs: number): PriceList | undefined {
  if (prices.length < 2) return prices[0];
  return prices.findLast((list) => startedBy(list, atMs) && isTimeOf(list, atMs)) ?? prices[0];
}

function startedBy({ from }: PriceList, atMs: number): boolean {
  return from === undefined || atMs >= Date.parse(from);
}

function isTimeOf({ daily }: PriceList, atMs: number): boolean {
  if (daily === undefined) return true;
  const [start = "", end = ""] = daily.split("-");
  const time = new Date(atMs).toISOString().slice(11, 16);
  return start <= end ? time >= start && time < end : time >= start || time < end;
}
