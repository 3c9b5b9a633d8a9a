import type { JsonObject, Usage } from "@loom/core";
import { asCount, asObject } from "../json-reader.ts";

/**
 * Token counts as the provider reports them: once at the start of a stream and again, complete, at its end. The last
 * value of each field is the true one; adding them up would count twice.
 */
export class UsageReader {
  #input = 0;
  #output = 0;
  #cacheRead = 0;
  #cacheWrite: number | undefined;
  #cacheWriteShort = 0;
  #cacheWriteLong = 0;
  #reasoning = 0;
  #webSearches = 0;

  read(usage: JsonObject | undefined): void {
    if (usage === undefined) return;
    this.#input = asCount(usage.input_tokens) ?? this.#input;
    this.#output = asCount(usage.output_tokens) ?? this.#output;
    this.#cacheRead = asCount(usage.cache_read_input_tokens) ?? this.#cacheRead;
    this.#cacheWrite = asCount(usage.cache_creation_input_tokens) ?? this.#cacheWrite;
    const creation = asObject(usage.cache_creation);
    this.#cacheWriteShort = asCount(creation?.ephemeral_5m_input_tokens) ?? this.#cacheWriteShort;
    this.#cacheWriteLong = asCount(creation?.ephemeral_1h_input_tokens) ?? this.#cacheWriteLong;
    this.#reasoning = asCount(asObject(usage.output_tokens_details)?.thinking_tokens) ?? this.#reasoning;
    this.#webSearches = asCount(asObject(usage.server_tool_use)?.web_search_requests) ?? this.#webSearches;
  }

  get usage(): Usage {
    const cacheWriteTokens = this.#cacheWrite ?? this.#cacheWriteShort + this.#cacheWriteLong;
    const usage: Usage = {
      inputTokens: this.#input,
      outputTokens: this.#output,
      cacheReadTokens: this.#cacheRead,
      cacheWriteTokens,
      cacheWriteLongTokens: Math.min(this.#cacheWriteLong, cacheWriteTokens),
      reasoningTokens: Math.min(this.#reasoning, this.#output),
    };
    return this.#webSearches === 0 ? usage : { ...usage, webSearches: this.#webSearches };
  }
}

export function usageToWire(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cache_read_input_tokens: usage.cacheReadTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWriteTokens - usage.cacheWriteLongTokens,
      ephemeral_1h_input_tokens: usage.cacheWriteLongTokens,
    },
    output_tokens_details: { thinking_tokens: usage.reasoningTokens },
    ...(usage.webSearches === undefined ? {} : { server_tool_use: { web_search_requests: usage.webSearches } }),
  };
}
