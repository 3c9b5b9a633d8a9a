import type { JsonObject, JsonValue } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import type { WireDialect } from "./dialect.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat, openAiChatCodec } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";

const DIALECTS: readonly WireDialect[] = ["anthropic", "chat", "responses", "gemini"];
const READERS: Readonly<Record<WireDialect, LlmCodec>> = {
  anthropic: anthropicMessages,
  chat: openAiChat,
  responses: openAiResponses,
  gemini,
};
/** Those who are asked, each with a model that takes sampling and thinks when it is told to. */
const ASKED = {
  anthropic: [anthropicMessages, "claude-sonnet-4-5"],
  chat: [openAiChat, "gpt-5.2"],
  "a compatible server": [openAiChatCodec({ maxTokensField: "max_tokens" }), "qwen3"],
  responses: [openAiResponses, "gpt-5.2"],
  gemini: [gemini, "gemini-2.5-flash"],
} as const;
type Asked = keyof typeof ASKED;

const SCHEMA = { type: "object", properties: {}, additionalProperties: false };
const CACHE = { cache_control: { type: "ephemeral" } };
const PNG = { media_type: "image/png", data: "iVBO" };

const BODIES: Readonly<Record<WireDialect, JsonObject>> = {
  anthropic: {
    model: "m",
    max_tokens: 9_000,
    system: [{ type: "text", text: "Be brief." }],
    tools: [{ name: "f", input_schema: SCHEMA }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "x" },
          { type: "image", source: { type: "base64", ...PNG } },
          { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBE" } },
        ],
      },
      { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "f", input: {} }] },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "c1", content: [{ type: "text", text: "y" }] }],
      },
    ],
  },
  chat: {
    model: "m",
    messages: [
      { role: "system", content: [{ type: "text", text: "Be brief." }] },
      {
        role: "user",
        content: [
          { type: "text", text: "x" },
          { type: "image_url", image_url: { url: "data:image/png;base64,iVBO" } },
          { type: "file", file: { file_data: "data:application/pdf;base64,JVBE" } },
        ],
      },
      {
        role: "assistant",
        content: [{ type: "text", text: "I call." }],
        tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c1", content: "y" },
    ],
    tools: [{ type: "function", function: { name: "f", parameters: SCHEMA } }],
  },
  responses: {
    model: "m",
    input: [
      {
        role: "user",
        content: [
          { type: "input_text", text: "x" },
          { type: "input_image", image_url: "data:image/png;base64,iVBO" },
          { type: "input_file", file_data: "data:application/pdf;base64,JVBE" },
        ],
      },
      { role: "assistant", content: [{ type: "output_text", text: "I call." }] },
      { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c1", output: "y" },
    ],
    tools: [
      { type: "function", name: "f", parameters: SCHEMA },
      { type: "custom", name: "g" },
    ],
  },
  gemini: {
    systemInstruction: { parts: [{ text: "Be brief." }] },
    contents: [
      {
        role: "user",
        parts: [
          { text: "x" },
          { inlineData: { mimeType: "image/png", data: "iVBO" } },
          { inlineData: { mimeType: "application/pdf", data: "JVBE" } },
        ],
      },
      { role: "model", parts: [{ functionCall: { name: "f", args: {} } }] },
      { role: "user", parts: [{ functionResponse: { name: "f", response: { output: "y" } } }] },
    ],
    tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema: SCHEMA }] }],
  },
};

/**
 * Every field that a dialect documents and that may be missing, each on its way through the body, with values that say
 * something. What goes unsaid by `docs/gateway.md` (ids, status, names of schemas, that thoughts are to be seen) is not among them.
 */
const FIELDS: Readonly<Record<WireDialect, readonly (readonly [string, JsonValue])[]>> = {
  anthropic: [
    ["cache_control", { type: "ephemeral" }],
    ["container", "c"],
    ["context_management", { edits: [{ type: "clear_tool_uses_20250919" }] }],
    ["inference_geo", "us"],
    ["mcp_servers", [{ type: "url", url: "https://a.example", name: "a" }]],
    ["metadata", { user_id: "u" }],
    ["metadata", { more: "u" }],
    ["output_config", { effort: "low" }],
    ["output_config", { format: { type: "json_schema", schema: SCHEMA } }],
    ["output_config", { task_budget: { type: "tokens", total: 20_000 } }],
    ["service_tier", "standard_only"],
    ["speed", "fast"],
    ["stop_sequences", ["END"]],
    ["temperature", 0.3],
    ["thinking", { type: "enabled", budget_tokens: 2_048 }],
    ["thinking", { type: "disabled", more: 1 }],
    ["tool_choice", { type: "any" }],
    ["tool_choice", { type: "auto", disable_parallel_tool_use: true }],
    ["tool_choice", { type: "auto", more: 1 }],
    ["top_k", 5],
    ["top_p", 0.7],
    ["system.0.cache_control", CACHE.cache_control],
    ["tools.0.description", "It does."],
    ["tools.0.strict", true],
    ["tools.0.cache_control", CACHE.cache_control],
    ["tools.0.input_examples", [{}]],
    ["tools.0.defer_loading", true],
    ["tools.0.allowed_callers", ["code_execution_20250825"]],
    ["tools.0.eager_input_streaming", true],
    ["messages.0.content.0.cache_control", CACHE.cache_control],
    ["messages.0.content.1.cache_control", CACHE.cache_control],
    ["messages.0.content.2.cache_control", CACHE.cache_control],
    ["messages.0.content.2.title", "a.pdf"],
    ["messages.0.content.2.context", "From the archive."],
    ["messages.0.content.2.citations", { enabled: true }],
    ["messages.1.content.0.cache_control", CACHE.cache_control],
    ["messages.2.content.0.cache_control", CACHE.cache_control],
    ["messages.2.content.0.content.0.cache_control", CACHE.cache_control],
    ["messages.2.content.0.is_error", true],
  ],
  chat: [
    ["audio", { voice: "alloy", format: "mp3" }],
    ["frequency_penalty", 0.5],
    ["function_call", "auto"],
    ["functions", [{ name: "f" }]],
    ["logit_bias", { 5: 1 }],
    ["logprobs", true],
    ["max_completion_tokens", 900],
    ["max_tokens", 900],
    ["metadata", { a: "b" }],
    ["modalities", ["text", "audio"]],
    ["n", 2],
    ["parallel_tool_calls", false],
    ["prediction", { type: "content", content: "x" }],
    ["presence_penalty", 0.5],
    ["prompt_cache_key", "k"],
    ["prompt_cache_retention", "24h"],
    ["reasoning", { effort: "low" }],
    ["reasoning", { summary: "auto" }],
    ["reasoning_effort", "low"],
    ["response_format", { type: "json_schema", json_schema: { name: "a", schema: SCHEMA } }],
    ["response_format", { type: "text", more: 1 }],
    ["safety_identifier", "u"],
    ["seed", 3],
    ["service_tier", "flex"],
    ["stop", "END"],
    ["store", true],
    ["stream_options", { include_obfuscation: true }],
    ["temperature", 0.3],
    ["temperature", 1.5],
    ["thinking", { type: "enabled", budget_tokens: 2_048 }],
    ["thinking", { type: "enabled", clear_thinking: true }],
    ["tool_choice", "required"],
    ["top_k", 5],
    ["top_logprobs", 2],
    ["top_p", 0.7],
    ["user", "u"],
    ["verbosity", "low"],
    ["web_search_options", {}],
    ["messages.0.name", "ann"],
    ["messages.0.content.0.cache_control", CACHE.cache_control],
    ["messages.1.name", "ann"],
    ["messages.1.cache_control", CACHE.cache_control],
    ["messages.1.content.0.cache_control", CACHE.cache_control],
    ["messages.1.content.1.cache_control", CACHE.cache_control],
    ["messages.1.content.1.image_url.detail", "low"],
    ["messages.1.content.2.cache_control", CACHE.cache_control],
    ["messages.1.content.2.file.filename", "a.pdf"],
    ["messages.2.audio", { id: "a" }],
    ["messages.2.content.0.cache_control", CACHE.cache_control],
    ["messages.2.function_call", { name: "f", arguments: "{}" }],
    ["messages.2.reasoning_content", "Hm."],
    ["messages.2.refusal", "No."],
    ["tools.0.cache_control", CACHE.cache_control],
    ["tools.0.function.description", "It does."],
    ["tools.0.function.strict", true],
  ],
  responses: [
    ["background", true],
    ["context_management", [{ type: "compaction" }]],
    ["conversation", "conv_1"],
    ["include", ["message.output_text.logprobs"]],
    ["instructions", "Be brief."],
    ["max_output_tokens", 900],
    ["max_tool_calls", 3],
    ["metadata", { a: "b" }],
    ["parallel_tool_calls", false],
    ["previous_response_id", "resp_1"],
    ["prompt", { id: "pmpt_1" }],
    ["prompt_cache_key", "k"],
    ["prompt_cache_retention", "24h"],
    ["reasoning", { effort: "low" }],
    ["reasoning", { context: "all_turns" }],
    ["safety_identifier", "u"],
    ["service_tier", "flex"],
    ["store", true],
    ["stream_options", { include_obfuscation: true }],
    ["temperature", 0.3],
    ["text", { format: { type: "json_schema", name: "a", schema: SCHEMA } }],
    ["text", { format: { type: "text", more: 1 } }],
    ["text", { verbosity: "low" }],
    ["tool_choice", "required"],
    ["top_logprobs", 2],
    ["top_p", 0.7],
    ["truncation", "auto"],
    ["user", "u"],
    ["input.0.content.1.detail", "low"],
    ["input.0.content.2.filename", "a.pdf"],
    ["input.1.phase", "commentary"],
    ["tools.0.description", "It does."],
    ["tools.0.strict", true],
    ["tools.0.defer_loading", true],
    ["tools.1.format", { type: "grammar", syntax: "lark", definition: "start: /x/" }],
  ],
  gemini: [
    ["cachedContent", "cachedContents/a"],
    ["labels", { a: "b" }],
    ["safetySettings", [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }]],
    ["serviceTier", "flex"],
    ["store", true],
    ["toolConfig", { functionCallingConfig: { mode: "ANY" } }],
    ["toolConfig", { functionCallingConfig: { mode: "VALIDATED" } }],
    ["toolConfig", { functionCallingConfig: { streamFunctionCallArguments: true } }],
    ["toolConfig", { retrievalConfig: { languageCode: "de" } }],
    ...(
      [
        { audioTimestamp: true },
        { candidateCount: 2 },
        { enableAffectiveDialog: true },
        { enableEnhancedCivicAnswers: true },
        { frequencyPenalty: 0.5 },
        { imageConfig: { aspectRatio: "1:1" } },
        { logprobs: 2 },
        { maxOutputTokens: 900 },
        { mediaResolution: "MEDIA_RESOLUTION_LOW" },
        { presencePenalty: 0.5 },
        { responseJsonSchema: SCHEMA, responseMimeType: "application/json" },
        { responseLogprobs: true },
        { responseMimeType: "application/json" },
        { responseModalities: ["IMAGE"] },
        { responseSchema: { type: "OBJECT" } },
        { seed: 3 },
        { speechConfig: { languageCode: "de" } },
        { stopSequences: ["END"] },
        { temperature: 0.3 },
        { thinkingConfig: { thinkingBudget: 2_048 } },
        { thinkingConfig: { more: 1 } },
        { topK: 5 },
        { topP: 0.7 },
      ] satisfies JsonObject[]
    ).map((config) => ["generationConfig", config] as const),
    ["contents.0.parts.1.mediaResolution", { level: "MEDIA_RESOLUTION_LOW" }],
    ["contents.0.parts.1.videoMetadata", { fps: 1 }],
    ["contents.0.parts.1.inlineData.displayName", "a.png"],
    ["contents.0.parts.2.inlineData.displayName", "a.pdf"],
    ["contents.2.parts.0.functionResponse.scheduling", "SILENT"],
    ["contents.2.parts.0.functionResponse.willContinue", true],
    ["tools.0.functionDeclarations.0.description", "It does."],
    ["tools.0.functionDeclarations.0.behavior", "NON_BLOCKING"],
    ["tools.0.functionDeclarations.0.response", { type: "STRING" }],
    ["tools.0.functionDeclarations.0.responseJsonSchema", { type: "string" }],
  ],
};

/** What goes out of a body and what is said to be left out of it, or why it is refused. */
function translated(from: WireDialect, to: Asked, body: JsonObject): unknown {
  const [codec, model] = ASKED[to];
  const streamed = "stream_options" in body ? { ...body, stream: true } : body;
  const decoded = READERS[from].decodeRequest(JSON.stringify(streamed));
  if (!decoded.ok) return decoded.problem;
  const encoded = codec.encodeRequest({ ...decoded.request, model }, { stream: false });
  if (!encoded.ok) return encoded.problem;
  return { body: encoded.body, leftOut: [...(decoded.leftOut ?? []), ...(encoded.leftOut ?? [])] };
}

function withField(body: JsonObject, way: string, value: JsonValue): JsonObject {
  const copy = structuredClone(body) as JsonObject;
  const steps = way.split(".");
  const last = steps.pop() ?? "";
  const holder = steps.reduce((inner, step) => inner[step] as JsonObject, copy) as Record<string, JsonValue>;
  holder[last] = value;
  return copy;
}

describe.each(DIALECTS.map((from) => [from] as const))("of a request in %s", (from) => {
  const others = (Object.keys(ASKED) as Asked[]).filter((to) => to !== from);
  const rows = FIELDS[from].map(([way, value]) => [way, JSON.stringify(value), value] as const);

  test.each(rows)("%s (%s) goes out, is named or is refused", (way, _, value) => {
    const lost = others.filter((to) => {
      const usual = translated(from, to, BODIES[from]);
      expect(usual).toHaveProperty("body");
      return JSON.stringify(translated(from, to, withField(BODIES[from], way, value))) === JSON.stringify(usual);
    });
    expect(lost).toEqual([]);
  });
});
