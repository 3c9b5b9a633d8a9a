import type { RawRequest } from "./raw-exchange.testing.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The smallest request an Anthropic client sends. */
export function anthropicRequest(fields: Fields = {}): RawRequest {
  return {
    headers: { "x-api-key": "test-key", "anthropic-version": "2023-06-01" },
    body: { model: "claude-test", max_tokens: 1024, messages: [{ role: "user", content: "Hello" }], ...fields },
  };
}

/** The smallest request a Chat Completions client sends. */
export function chatRequest(fields: Fields = {}): RawRequest {
  return {
    headers: { authorization: "Bearer test-key" },
    body: { model: "gpt-test", messages: [{ role: "user", content: "Hello" }], ...fields },
  };
}

/** The smallest request a Responses client sends. */
export function responsesRequest(fields: Fields = {}): RawRequest {
  return { headers: { authorization: "Bearer test-key" }, body: { model: "gpt-test", input: "Hello", ...fields } };
}
