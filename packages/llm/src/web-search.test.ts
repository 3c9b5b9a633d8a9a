import type { JsonObject, LlmRequest, ProviderTool } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";

const LOCATION = { type: "approximate", country: "DE", timezone: "Europe/Berlin" };
/** As Codex asks for it. */
const CODEX = { dialect: "responses", definition: { type: "web_search", external_web_access: false } };
/** As Claude Code asks for it. */
const CLAUDE = {
  dialect: "anthropic",
  definition: { type: "web_search_20250305", name: "web_search", max_uses: 8, allowed_domains: ["a.example"] },
};
const GEMINI = { dialect: "gemini", definition: { googleSearch: {} } };

function encoded(codec: LlmCodec, providerTool: ProviderTool) {
  const request: LlmRequest = {
    model: "m",
    system: "",
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    tools: [],
    maxTokens: 100,
    providerTools: [providerTool],
  };
  return codec.encodeRequest(request, { stream: false });
}

function toolsOf(codec: LlmCodec, providerTool: ProviderTool): unknown {
  const result = encoded(codec, providerTool);
  return result.ok ? result.body.tools : result.problem;
}

describe("a search of the web", () => {
  const ANTHROPIC: JsonObject = { type: "web_search_20250305", name: "web_search" };

  test("is each provider's own tool for it", () => {
    expect(toolsOf(anthropicMessages, CODEX)).toEqual([expect.objectContaining(ANTHROPIC)]);
    expect(toolsOf(anthropicMessages, GEMINI)).toEqual([expect.objectContaining(ANTHROPIC)]);
    expect(toolsOf(gemini, CODEX)).toEqual([{ googleSearch: {} }]);
    expect(toolsOf(openAiResponses, GEMINI)).toEqual([{ type: "web_search" }]);
  });

  test("stays in its domains, and near the person", () => {
    const filters = { allowed_domains: ["a.example"], blocked_domains: ["b.example"] };
    const bounded = { type: "web_search_preview_2025_03_11", filters, user_location: LOCATION };
    expect(toolsOf(anthropicMessages, { dialect: "responses", definition: bounded })).toEqual([
      expect.objectContaining({ ...ANTHROPIC, ...filters, user_location: LOCATION }),
    ]);
    expect(toolsOf(openAiResponses, CLAUDE)).toEqual([
      { type: "web_search", filters: { allowed_domains: ["a.example"] } },
    ]);
    expect(toolsOf(gemini, CLAUDE)).toBe(
      "providerTools.0 keeps a search of the web to some domains, which Gemini generateContent cannot say.",
    );
  });

  test("goes as it came to a model of its own dialect", () => {
    expect(toolsOf(openAiResponses, CODEX)).toEqual([CODEX.definition]);
  });

  test("is refused where there is none, with what to do", () => {
    expect(toolsOf(openAiChat, CODEX)).toBe(
      'providerTools.0 asks for a search of the web, which models behind OpenAI Chat Completions do not have: switch it off in the client (Codex: web_search = "disabled" in its config.toml), or use another model.',
    );
  });
});
