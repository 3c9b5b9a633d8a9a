import type { LlmRequest } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages, gemini, openAiChat, openAiChatCodec, openAiResponses } from "./index.ts";
import { mostOutputTokens } from "./most-output.ts";
import { bodyOf } from "./wire.testing.ts";

const UNBOUND: LlmRequest = {
  model: "m",
  system: "",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [],
  thinking: { type: "on", effort: "high" },
};

describe("a request without a bound", () => {
  test.each([
    ["Chat Completions", openAiChat, "gpt-3.5-turbo"],
    [
      "a compatible server",
      openAiChatCodec({ maxTokensField: "max_tokens", thinkingParameter: "reasoning" }),
      "llama3",
    ],
    ["Responses", openAiResponses, "gpt-4o"],
    ["Gemini", gemini, "gemini-2.5-pro"],
  ])("goes to %s without one", (_name, codec, model) => {
    expect(JSON.stringify(bodyOf(codec.encodeRequest({ ...UNBOUND, model }, { stream: false })))).not.toMatch(
      /max_?(?:completion_|output_)?tokens/i,
    );
  });

  test.each(["claude-instant-1.2", "claude-3-haiku", "claude-opus-4-1", "claude-sonnet-4-5", "claude-opus-5-5"])(
    "asks %s for no more than it is known to write",
    (model) => {
      const { max_tokens: bound } = bodyOf(anthropicMessages.encodeRequest({ ...UNBOUND, model }, { stream: false }));
      expect(bound).toBeLessThanOrEqual(mostOutputTokens(model) ?? 0);
    },
  );
});

test.each([
  ["gpt-4o-mini", 16_384],
  ["ft:gpt-4o:acme", 16_384],
  ["gpt-4.1-nano", 32_768],
  ["gpt-4-turbo", 8_192],
  ["gpt-3.5-turbo", 4_096],
  ["gpt-5", 128_000],
  ["gpt-5.2-chat-latest", 16_384],
  ["openai/o3-mini", 100_000],
  ["gemini-2.0-flash", 8_192],
  ["google/gemini-3.1-pro", 65_536],
  ["anthropic/claude-opus-4.6", 128_000],
  ["llama3", undefined],
])("an answer of %s has at most %s tokens", (model, tokens) => {
  expect(mostOutputTokens(model)).toBe(tokens);
});

test("under a bound Gemini thinks at most half of it, unless the client has divided it itself", () => {
  const budget = (maxTokens: number, thinking: LlmRequest["thinking"]) =>
    bodyOf(
      gemini.encodeRequest(
        { ...UNBOUND, model: "gemini-2.5-pro", maxTokens, ...(thinking && { thinking }) },
        { stream: false },
      ),
    ).generationConfig;
  expect(budget(8_192, { type: "on", effort: "high" })).toMatchObject({ thinkingConfig: { thinkingBudget: 4_096 } });
  expect(budget(8_192, { type: "on", budgetTokens: 8_000 })).toMatchObject({
    thinkingConfig: { thinkingBudget: 8_000 },
  });
});
