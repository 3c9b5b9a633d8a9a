import Anthropic from "@anthropic-ai/sdk";
import { anthropicOptions, anthropicSdk } from "./anthropic.testing.ts";
import { googleClient, googleSdk } from "./google-genai.testing.ts";
import { openAiChatSdk } from "./openai-chat.testing.ts";
import { openAiResponsesSdk } from "./openai-responses.testing.ts";
import type { SdkClient } from "./sdk-client.testing.ts";

export const SDKS = ["anthropic", "chat", "responses", "google"] as const;
export type SdkName = (typeof SDKS)[number];

/** Where any model of any provider answers in the SDK's dialect. */
const DIALECT_PATHS: Readonly<Record<SdkName, string>> = {
  anthropic: "/anthropic",
  chat: "/openai/v1",
  responses: "/openai/v1",
  google: "/gemini",
};

/** A model that the SDK's own provider has, and one of another. */
export const MODELS_OF: Readonly<Record<SdkName, readonly [string, string]>> = {
  anthropic: ["claude-sonnet-5", "gemini-3.1-pro-preview"],
  chat: ["gpt-5.4", "claude-sonnet-5"],
  responses: ["gpt-5.4", "claude-sonnet-5"],
  google: ["gemini-3.1-pro-preview", "gpt-5.4"],
};

/** A client of the SDK; without a path at the door of its dialect. */
export function clientOf(
  sdk: SdkName,
  {
    url,
    token,
    path = DIALECT_PATHS[sdk],
  }: { readonly url: string; readonly token: string; readonly path?: string | undefined },
): SdkClient {
  const access = { baseUrl: url + path, token };
  switch (sdk) {
    case "anthropic":
      return anthropicSdk(new Anthropic(anthropicOptions(access)));
    case "chat":
      return openAiChatSdk(access);
    case "responses":
      return openAiResponsesSdk(access);
    case "google":
      return googleSdk(googleClient(access));
  }
}
