import type { LlmRequest } from "@loom/core";
import { expect, test } from "vitest";
import { openAiDialects, openAiDialectsFor } from "./openai-dialects.ts";

test.each([
  ["gpt-5.4", ["responses", "chat"]],
  ["gpt-5.6-terra", ["responses", "chat"]],
  ["gpt-4o", ["responses", "chat"]],
  ["gpt-3.5-turbo", ["responses", "chat"]],
  ["ft:gpt-4.1:acme::1", ["responses", "chat"]],
  ["my-deployment", ["responses", "chat"]],
  ["gpt-5.3-codex", ["responses"]],
  ["gpt-5.1-codex-mini", ["responses"]],
  ["codex-mini-latest", ["responses"]],
  ["gpt-5-pro-2025-10-06", ["responses"]],
  ["gpt-5.4-pro", ["responses"]],
  ["o3-pro", ["responses"]],
  ["o4-mini-deep-research", ["responses"]],
  ["gpt-audio-mini", ["chat"]],
  ["gpt-4o-audio-preview", ["chat"]],
  ["gpt-4o-mini-search-preview", ["chat"]],
  ["gpt-5-search-api", ["chat"]],
  ["o1-mini", ["chat"]],
])("%s is to be had in %j", (model, dialects) => {
  expect(openAiDialects(model)).toEqual(dialects);
});

test("a seed is for Chat Completions, unless a model that thinks has tools, or is not there", () => {
  const tools = [{ name: "now", description: "", inputSchema: { type: "object" } }];
  const request = { system: "", messages: [], maxTokens: 1, seed: 7 };
  const first = (rest: Pick<LlmRequest, "model" | "tools">) => openAiDialectsFor({ ...request, ...rest })[0];
  expect(first({ model: "gpt-5.4", tools: [] })).toBe("chat");
  expect(first({ model: "gpt-4o", tools })).toBe("chat");
  expect(first({ model: "gpt-5.4", tools })).toBe("responses");
  expect(first({ model: "gpt-5.4-pro", tools: [] })).toBe("responses");
});
