import type { JsonObject } from "@loom/core";
import { expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";

const PNG = "data:image/png;base64,iVBO";
const image = (detail: string) => ({ type: "image_url", image_url: { url: PNG, detail } });
const document = (citations: JsonObject) => ({
  type: "document",
  source: { type: "text", media_type: "text/plain", data: "x" },
  citations,
});
const claude = (body: JsonObject) => ({
  model: "m",
  max_tokens: 5,
  messages: [{ role: "user", content: "x" }],
  ...body,
});
const tool = (more: JsonObject) => ({ tools: [{ name: "f", input_schema: {}, ...more }] });
const user = (...content: JsonObject[]) => ({ messages: [{ role: "user", content }] });
const inlined = (mimeType: string, more: JsonObject) => ({
  contents: [{ role: "user", parts: [{ inlineData: { mimeType, data: "iVBO" }, ...more }] }],
});
const LOW = { mediaResolution: { level: "MEDIA_RESOLUTION_LOW" } };

test.each<[string, LlmCodec, JsonObject, readonly string[]]>([
  [
    "names of messages",
    openAiChat,
    { model: "m", messages: [{ role: "user", name: "ann", content: "x" }] },
    ["messages.name"],
  ],
  ["details of images", openAiChat, { model: "m", ...user(image("high")) }, ["messages.content.image_url.detail"]],
  ["no details that say nothing", openAiChat, { model: "m", ...user(image("auto")) }, []],
  ["citations", anthropicMessages, claude(user(document({ enabled: true }))), ["messages.content.citations"]],
  ["no citations that are off", anthropicMessages, claude(user(document({ enabled: false }))), []],
  [
    "what tools have more",
    anthropicMessages,
    claude(tool({ input_examples: [{ a: 1 }], defer_loading: true, allowed_callers: ["code_execution_20250825"] })),
    ["tools.input_examples", "tools.defer_loading", "tools.allowed_callers"],
  ],
  [
    "nothing of tools that says nothing",
    anthropicMessages,
    claude(tool({ input_examples: [], defer_loading: false, allowed_callers: ["direct"] })),
    [],
  ],
  [
    "nothing of a provider's tool, which goes as it is",
    anthropicMessages,
    claude({ tools: [{ type: "web_search_20250305", name: "web_search", defer_loading: true }] }),
    [],
  ],
  [
    "details of what OpenAI is shown",
    openAiResponses,
    {
      model: "m",
      input: [{ role: "user", content: [{ type: "input_image", image_url: PNG, detail: "low" }] }],
      text: { verbosity: "low" },
    },
    ["input.content.detail", "text.verbosity"],
  ],
  ["resolutions", gemini, inlined("image/png", LOW), ["contents.parts.mediaResolution"]],
  [
    "resolutions by their other name",
    gemini,
    inlined("image/png", { media_resolution: LOW.mediaResolution }),
    ["contents.parts.mediaResolution"],
  ],
  [
    "fields on ways by their other names",
    gemini,
    {
      contents: [{ parts: [{ text: "x" }] }],
      tool_config: { retrieval_config: { language_code: "de" } },
      tools: [{ function_declarations: [{ name: "f", response: { type: "STRING" }, response_json_schema: { a: 1 } }] }],
    },
    [
      "toolConfig.retrieval_config",
      "tools.functionDeclarations.response",
      "tools.functionDeclarations.responseJsonSchema",
    ],
  ],
  [
    "members of the body that nobody knows",
    anthropicMessages,
    claude({
      service_tier: "auto",
      context_management: {},
      speed: "fast",
      inference_geo: "us",
      frobnicate: 1,
      top_k: 5,
    }),
    ["service_tier", "context_management", "speed", "inference_geo", "frobnicate"],
  ],
  [
    "members of settings",
    anthropicMessages,
    claude({ output_config: { effort: "low", task_budget: { type: "tokens", total: 9 } } }),
    ["output_config.task_budget"],
  ],
  [
    "members of Gemini's settings",
    gemini,
    {
      contents: [{ parts: [{ text: "x" }] }],
      generationConfig: { thinkingConfig: { thinkingBudget: 0, includeThoughts: false, depth: 1 } },
      toolConfig: { functionCallingConfig: { mode: "AUTO", streamFunctionCallArguments: true } },
    },
    ["toolConfig.functionCallingConfig.streamFunctionCallArguments", "generationConfig.thinkingConfig.depth"],
  ],
  [
    "how functions are waited for",
    gemini,
    {
      contents: [
        { parts: [{ text: "x" }] },
        { role: "model", parts: [{ functionCall: { name: "f" } }] },
        { parts: [{ functionResponse: { name: "f", response: {}, scheduling: "SILENT", willContinue: true } }] },
      ],
      tools: [{ functionDeclarations: [{ name: "f", behavior: "NON_BLOCKING" }] }],
    },
    [
      "contents.parts.functionResponse.scheduling",
      "contents.parts.functionResponse.willContinue",
      "tools.functionDeclarations.behavior",
    ],
  ],
  [
    "members of reasoning",
    openAiResponses,
    { model: "m", input: "x", reasoning: { effort: "low", context: "all_turns" } },
    ["reasoning.context"],
  ],
  ["nothing of a film, which stays as it is", gemini, inlined("video/mp4", { ...LOW, videoMetadata: { fps: 1 } }), []],
  [
    "times in what is no film",
    gemini,
    inlined("image/png", { videoMetadata: { fps: 1 } }),
    ["contents.parts.videoMetadata"],
  ],
])("a request that is read names %s", (_what, codec, body, leftOut) => {
  const decoded = codec.decodeRequest(JSON.stringify(body));
  expect(decoded).toMatchObject({ ok: true });
  expect(decoded.ok && (decoded.leftOut ?? [])).toEqual(leftOut);
});

test.each<[LlmCodec, JsonObject]>([
  [openAiChat, { model: "m", messages: [{ role: "user", content: "x" }] }],
  [anthropicMessages, claude({})],
  [openAiResponses, { model: "m", input: "x" }],
])("a stream that is neither wanted nor not is refused", (codec, body) => {
  const read = (stream: unknown) => codec.decodeRequest(JSON.stringify({ ...body, stream }));
  expect(read("true")).toEqual({ ok: false, problem: "stream must be true or false." });
  expect(read(null)).toMatchObject({ ok: true, stream: false });
  expect(read(true)).toMatchObject({ ok: true, stream: true });
});
