import type { JsonObject, Usage } from "@loom/core";
import { UsageReader as AnthropicUsageReader } from "./anthropic-messages/usage.ts";
import { UsageReader as GeminiUsageReader } from "./gemini/usage.ts";
import { UsageReader as ChatUsageReader } from "./openai-chat/usage.ts";
import { usageFromWire } from "./openai-responses/usage.ts";

/** Reads a provider's own token counts as they come; the last value of each field is the true one. */
export type UsageReader = {
  /** The object that the dialect calls `usage` or `usageMetadata`. */
  read(usage: JsonObject | undefined): void;
  readonly usage: Usage;
};

/** For those who look at a provider's answer without decoding it. `openai`: in the names of either of its dialects. */
export function usageReader(dialect: "anthropic" | "chat" | "responses" | "gemini" | "openai"): UsageReader {
  switch (dialect) {
    case "anthropic":
      return new AnthropicUsageReader();
    case "chat":
      return new ChatUsageReader();
    case "responses":
      return new MergedUsage(usageFromWire);
    case "gemini":
      return new GeminiUsageReader();
    case "openai":
      return new EitherUsage(new ChatUsageReader(), new MergedUsage(usageFromWire));
  }
}

class EitherUsage implements UsageReader {
  readonly #first: UsageReader;
  readonly #second: UsageReader;

  constructor(first: UsageReader, second: UsageReader) {
    this.#first = first;
    this.#second = second;
  }

  read(usage: JsonObject | undefined): void {
    this.#first.read(usage);
    this.#second.read(usage);
  }

  get usage(): Usage {
    const { usage } = this.#first;
    return usage.inputTokens + usage.outputTokens + usage.cacheReadTokens > 0 ? usage : this.#second.usage;
  }
}

class MergedUsage implements UsageReader {
  readonly #convert: (usage: JsonObject) => Usage;
  #fields: JsonObject = {};

  constructor(convert: (usage: JsonObject) => Usage) {
    this.#convert = convert;
  }

  read(usage: JsonObject | undefined): void {
    if (usage !== undefined) this.#fields = { ...this.#fields, ...usage };
  }

  get usage(): Usage {
    return this.#convert(this.#fields);
  }
}
