import type { JsonObject, Usage } from "@loom/core";
import { asCount, asObject } from "../json-reader.ts";

/** Token counts of a response; `input_tokens` includes what came from or went to the cache. */
export function usageFromWire(usage: JsonObject | undefined): Usage {
  const input = asCount(usage?.input_tokens) ?? 0;
  const details = asObject(usage?.input_tokens_details);
  const outputTokens = asCount(usage?.output_tokens) ?? 0;
  const cacheReadTokens = Math.min(asCount(details?.cached_tokens) ?? 0, input);
  const cacheWriteTokens = Math.min(asCount(details?.cache_write_tokens) ?? 0, input - cacheReadTokens);
  const reasoning = asCount(asObject(usage?.output_tokens_details)?.reasoning_tokens) ?? 0;
  return {
    inputTokens: input - cacheReadTokens - cacheWriteTokens,
    outputTokens,
    cacheReadTokens,
    cacheWriteTokens,
    cacheWriteLongTokens: 0,
    reasoningTokens: Math.min(reasoning, outputTokens),
  };
}

export function usageToWire(usage: Usage): JsonObject {
  const input = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheReadTokens, cache_write_tokens: usage.cacheWriteTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: input + usage.outputTokens,
  };
}
