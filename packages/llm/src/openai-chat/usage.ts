import type { JsonObject, Usage } from "@loom/core";
import { asCount, asObject } from "../json-reader.ts";

/**
 * Token counts as the provider reports them: mostly once, by some servers again in every chunk, each time as a total. The
 * last value of each field counts.
 */
export class UsageReader {
  #prompt = 0;
  #completion = 0;
  #total = 0;
  #cached = 0;
  #cacheWrite = 0;
  #reasoning = 0;

  read(usage: JsonObject | undefined): void {
    if (usage === undefined) return;
    this.#prompt = asCount(usage.prompt_tokens) ?? this.#prompt;
    this.#completion = asCount(usage.completion_tokens) ?? this.#completion;
    this.#total = asCount(usage.total_tokens) ?? this.#total;
    const prompt = asObject(usage.prompt_tokens_details);
    // `prompt_cache_hit_tokens` is DeepSeek's own name, `cached_tokens` at the top level Moonshot's.
    const cached = prompt?.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.cached_tokens;
    this.#cached = asCount(cached) ?? this.#cached;
    this.#cacheWrite = asCount(prompt?.cache_write_tokens) ?? this.#cacheWrite;
    this.#reasoning = asCount(asObject(usage.completion_tokens_details)?.reasoning_tokens) ?? this.#reasoning;
  }

  get usage(): Usage {
    const cacheReadTokens = Math.min(this.#cached, this.#prompt);
    const cacheWriteTokens = Math.min(this.#cacheWrite, this.#prompt - cacheReadTokens);
    // xAI counts thinking beside the completion, everybody else inside it; the total tells which.
    const beside = this.#reasoning > 0 && this.#total === this.#prompt + this.#completion + this.#reasoning;
    const outputTokens = this.#completion + (beside ? this.#reasoning : 0);
    return {
      inputTokens: this.#prompt - cacheReadTokens - cacheWriteTokens,
      outputTokens,
      cacheReadTokens,
      cacheWriteTokens,
      cacheWriteLongTokens: 0,
      reasoningTokens: Math.min(this.#reasoning, outputTokens),
    };
  }
}

export function usageToWire(usage: Usage): JsonObject {
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.outputTokens,
    total_tokens: prompt + usage.outputTokens,
    // `cache_write_tokens` is OpenRouter's word; OpenAI itself does not bill writes apart.
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens, cache_write_tokens: usage.cacheWriteTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}
