import type { JsonObject, Usage } from "@loom/core";
import { asCount } from "../json-reader.ts";

/**
 * `usageMetadata`. The prompt includes what came from the cache; what the provider's own tools read, and thinking, are
 * counted beside prompt and answer, as the total shows.
 */
export function usageFromWire(metadata: JsonObject): Usage {
  const prompt = (asCount(metadata.promptTokenCount) ?? 0) + (asCount(metadata.toolUsePromptTokenCount) ?? 0);
  const candidates = asCount(metadata.candidatesTokenCount) ?? 0;
  const thoughts = asCount(metadata.thoughtsTokenCount) ?? 0;
  const cacheReadTokens = Math.min(asCount(metadata.cachedContentTokenCount) ?? 0, prompt);
  const inside = thoughts <= candidates && asCount(metadata.totalTokenCount) === prompt + candidates;
  return {
    inputTokens: prompt - cacheReadTokens,
    outputTokens: candidates + (inside ? 0 : thoughts),
    cacheReadTokens,
    cacheWriteTokens: 0,
    cacheWriteLongTokens: 0,
    reasoningTokens: thoughts,
  };
}

/** Token counts as they come, with every chunk, each time as a total: the last value of each field is the true one. */
export class UsageReader {
  #fields: JsonObject = {};

  read(metadata: JsonObject | undefined): void {
    if (metadata !== undefined) this.#fields = { ...this.#fields, ...metadata };
  }

  get usage(): Usage {
    return usageFromWire(this.#fields);
  }
}

/** What was written to a cache is part of the prompt here. */
export function usageToWire(usage: Usage): JsonObject {
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  const answer = usage.outputTokens - usage.reasoningTokens;
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: answer,
    totalTokenCount: prompt + usage.outputTokens,
    ...(usage.cacheReadTokens === 0 ? {} : { cachedContentTokenCount: usage.cacheReadTokens }),
    ...(usage.reasoningTokens === 0 ? {} : { thoughtsTokenCount: usage.reasoningTokens }),
  };
}
