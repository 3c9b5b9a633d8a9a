import type { LlmCodec } from "@loom/llm";
import { anthropicMessages, openAiChat, openAiChatCodec } from "@loom/llm";
import type { ProviderConfig } from "../../provider-config.ts";

/** A provider that is set up: its dialect and where it is reached. */
export type Provider = {
  readonly name: string;
  readonly config: ProviderConfig;
  readonly codec: LlmCodec;
  /** Where a request for an answer goes. */
  readonly url: URL;
  readonly modelsUrl: URL;
  /** The key is taken out of its box here and nowhere else. */
  headers(): { readonly [name: string]: string };
};

export function createProvider(name: string, config: ProviderConfig): Provider {
  switch (config.kind) {
    case "anthropic":
      return {
        name,
        config,
        codec: anthropicMessages,
        // Some give the address with the version in it, as for the other dialect.
        url: new URL(`${config.baseUrl.replace(/\/v1$/, "")}/v1/messages`),
        modelsUrl: new URL(`${config.baseUrl.replace(/\/v1$/, "")}/v1/models`),
        headers: () => ({
          "anthropic-version": "2023-06-01",
          ...(config.key === undefined ? {} : { "x-api-key": config.key.expose() }),
        }),
      };
    default:
      return {
        name,
        config,
        codec: config.isOfficial ? openAiChat : compatibleCodec(new URL(config.baseUrl).hostname),
        url: new URL(`${config.baseUrl}/chat/completions`),
        modelsUrl: new URL(`${config.baseUrl}/models`),
        headers: (): { readonly [name: string]: string } =>
          config.key === undefined ? {} : { authorization: `Bearer ${config.key.expose()}` },
      };
  }
}

/** The name of a field that OpenAI gave up is the one that everybody else knows; and some want earlier thinking back. */
function compatibleCodec(host: string): LlmCodec {
  const maxTokensField = "max_tokens";
  if (/(?:^|\.)openrouter\.ai$/.test(host)) return openAiChatCodec({ maxTokensField, thinkingField: "reasoning" });
  if (/(?:^|\.)(?:deepseek\.com|z\.ai|bigmodel\.cn)$/.test(host)) {
    return openAiChatCodec({ maxTokensField, thinkingField: "reasoning_content" });
  }
  return openAiChatCodec({ maxTokensField });
}
