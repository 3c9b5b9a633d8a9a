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
const LIVE = { dialect: "responses", definition: { type: "web_search", external_web_access: true } };
/** As Claude Code asks for it. */
const CLAUDE = {
  dialect: "anthropic",
  definition: { type: "web_search_20250305", name: "web_search", max_uses: 8, allowed_domains: ["a.example"] },
};
const GEMINI = { dialect: "gemini", definition: { googleSearch: {} } };

function encoded(codec: LlmCodec, providerTool: ProviderTool, change: Partial<LlmRequest> = {}) {
  const request: LlmRequest = {
    model: "m",
    system: "",
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    tools: [],
    maxTokens: 100,
    providerTools: [providerTool],
    ...change,
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
    expect(toolsOf(anthropicMessages, LIVE)).toEqual([expect.objectContaining(ANTHROPIC)]);
    expect(toolsOf(anthropicMessages, GEMINI)).toEqual([expect.objectContaining(ANTHROPIC)]);
    expect(toolsOf(gemini, LIVE)).toEqual([{ googleSearch: {} }]);
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

  test("that may not go live is left out where there is no other, and named", () => {
    for (const codec of [anthropicMessages, gemini]) {
      const left = encoded(codec, CODEX, { toolChoice: { type: "auto" } });
      expect(left).toMatchObject({ ok: true, leftOut: ["tools.web_search"] });
      expect(left.ok && left.body).not.toHaveProperty("tools");
      expect(left.ok && left.body).not.toHaveProperty("tool_choice");
      expect(encoded(codec, CODEX, { toolChoice: { type: "tool", name: "web_search" } })).toMatchObject({
        ok: false,
        problem: expect.stringMatching(/^toolChoice asks for a search of the web that does not go live/),
      });
    }
  });

  test("has what cannot be said of it named", () => {
    const namedBy = (codec: LlmCodec, tool: ProviderTool) => {
      const result = encoded(codec, tool);
      return result.ok ? result.leftOut : result.problem;
    };
    const definition = { type: "web_search", search_context_size: "low", user_location: LOCATION };
    const sized = { dialect: "responses", definition };
    expect(namedBy(anthropicMessages, sized)).toEqual(["tools.search_context_size"]);
    expect(namedBy(gemini, sized)).toEqual(["tools.search_context_size", "tools.user_location"]);
    expect(namedBy(openAiResponses, CLAUDE)).toEqual(["tools.max_uses"]);
    expect(namedBy(openAiResponses, sized)).toBeUndefined();
    const timed = {
      dialect: "gemini",
      definition: { googleSearch: { timeRangeFilter: {}, excludeDomains: ["b.example"] } },
    };
    expect(namedBy(anthropicMessages, timed)).toEqual(["tools.timeRangeFilter"]);
    expect(toolsOf(anthropicMessages, timed)).toEqual([
      expect.objectContaining({ ...ANTHROPIC, blocked_domains: ["b.example"] }),
    ]);
  });

  test("can be the tool that is chosen", () => {
    const toolChoice = { type: "tool", name: "web_search" } as const;
    const chosenFor = (codec: LlmCodec, tool: ProviderTool) => {
      const result = encoded(codec, tool, { toolChoice });
      return result.ok ? result.body.tool_choice : result.problem;
    };
    expect(chosenFor(openAiResponses, CLAUDE)).toEqual({ type: "web_search" });
    expect(chosenFor(anthropicMessages, LIVE)).toEqual(toolChoice);
    expect(chosenFor(gemini, LIVE)).toBe(
      "toolChoice asks for a search of the web, which Gemini generateContent cannot be made to do.",
    );
    const asked = { model: "m", input: "Hi", tools: [LIVE.definition], tool_choice: { type: "web_search" } };
    expect(openAiResponses.decodeRequest(JSON.stringify(asked))).toMatchObject({ ok: true, request: { toolChoice } });
  });

  test("is refused where there is none, with what to do", () => {
    expect(toolsOf(openAiChat, CODEX)).toBe(
      'providerTools.0 asks for a search of the web, which models behind OpenAI Chat Completions do not have: switch it off in the client (Codex: web_search = "disabled" in its config.toml), or use another model.',
    );
  });
});
