import type { JsonObject, JsonValue } from "@loom/core";
import { describe, expect, test } from "vitest";
import { openAiChat } from "./codec.ts";

function decode(fields: { [name: string]: JsonValue | undefined }) {
  const body = { model: "gpt-test", messages: [{ role: "user", content: "Hi" }], ...fields };
  return openAiChat.decodeRequest(JSON.stringify(body));
}

function messagesOf(...messages: JsonValue[]) {
  const decoded = decode({ messages });
  return decoded.ok ? decoded.request.messages : decoded.problem;
}

const text = (words: string) => ({ type: "text", text: words });
const call = (id: string, name: string, args: string) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});

describe("a request of a foreign client", () => {
  test("is read with everything Loom has a word for", () => {
    const parameters = { type: "object", properties: { path: { type: "string" } } };
    const decoded = decode({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "developer", content: [text("Be kind.")] },
        { role: "user", content: "Hi" },
      ],
      tools: [
        { type: "function", function: { name: "read_file", description: "Read.", parameters, strict: true } },
        { type: "function", function: { name: "now" } },
      ],
      max_completion_tokens: 500,
      temperature: 0.3,
      stream: true,
      stream_options: { include_usage: true },
      top_p: 1,
      n: 1,
      parallel_tool_calls: true,
      tool_choice: "auto",
      response_format: { type: "text" },
      user: "somebody",
    });
    expect(decoded).toEqual({
      ok: true,
      stream: true,
      wantsUsage: true,
      request: {
        model: "gpt-test",
        system: "Be brief.\n\nBe kind.",
        messages: [{ role: "user", content: [text("Hi")] }],
        tools: [
          { name: "read_file", description: "Read.", inputSchema: parameters, strict: true },
          { name: "now", description: "", inputSchema: { type: "object", properties: {} } },
        ],
        maxTokens: 500,
        temperature: 0.3,
        topP: 1,
        parallelToolCalls: true,
        toolChoice: { type: "auto" },
        userId: "somebody",
      },
    });
  });

  test.each<[string, object, number | undefined]>([
    ["max_tokens", { max_tokens: 7 }, 7],
    ["the newer name first", { max_tokens: 7, max_completion_tokens: 8 }, 8],
    ["nowhere", { max_tokens: null }, undefined],
  ])("has its bound from %s", (_name, fields, maxTokens) => {
    const decoded = decode({ ...fields });
    expect(decoded).toMatchObject({ ok: true, stream: false });
    expect(decoded.ok && decoded.request.maxTokens).toBe(maxTokens);
  });

  test("wants its tokens counted in the stream only if it says so", () => {
    expect(decode({ stream: true })).toMatchObject({ wantsUsage: false });
    expect(decode({ stream: true, stream_options: null })).toMatchObject({ wantsUsage: false });
    expect(decode({})).not.toHaveProperty("wantsUsage");
  });

  const tools = ["now", "then"].map((name) => ({ type: "function", function: { name } }));
  test.each<[JsonValue, object]>([
    ["none", { toolChoice: { type: "none" }, tools: [{ name: "now" }, { name: "then" }] }],
    ["required", { toolChoice: { type: "required" } }],
    [{ type: "function", function: { name: "then" } }, { toolChoice: { type: "tool", name: "then" } }],
    [
      {
        type: "allowed_tools",
        allowed_tools: { mode: "required", tools: [{ type: "function", function: { name: "then" } }] },
      },
      { toolChoice: { type: "required" }, tools: [{ name: "then" }] },
    ],
  ])("chooses among its tools: %j", (choice, request) => {
    expect(decode({ tools, tool_choice: choice })).toMatchObject({ ok: true, request });
  });

  test.each<[JsonObject, object]>([
    [{ reasoning_effort: "high" }, { type: "on", effort: "high" }],
    [{ reasoning_effort: "none" }, { type: "off" }],
    [{ reasoning: { effort: "low", exclude: true } }, { type: "on", effort: "low", visible: false }],
    [{ reasoning: { max_tokens: 2_000 } }, { type: "on", budgetTokens: 2_000 }],
    [{ reasoning: { enabled: false } }, { type: "off" }],
    [{ thinking: { type: "enabled", budget_tokens: 3_000 } }, { type: "on", budgetTokens: 3_000 }],
    [{ thinking: { type: "disabled" } }, { type: "off" }],
  ])("says how much to think in whatever words its server has: %j", (fields, thinking) => {
    expect(decode(fields)).toMatchObject({ ok: true, request: { thinking } });
  });

  const schema = { type: "object" };
  test.each<[JsonObject, object]>([
    [{ type: "json_object" }, { type: "json" }],
    [
      { type: "json_schema", json_schema: { name: "city", schema, strict: true, description: "A city." } },
      { type: "json_schema", name: "city", schema, strict: true, description: "A city." },
    ],
  ])("says what form the answer has: %j", (format, output) => {
    expect(decode({ response_format: format })).toMatchObject({ ok: true, request: { output } });
  });

  test("stops where it says, in one word or several, and names its user and its session", () => {
    expect(decode({ stop: "END", seed: -3, top_k: 40, prompt_cache_key: "s1" })).toMatchObject({
      request: { stopSequences: ["END"], seed: -3, topK: 40, cacheKey: "s1" },
    });
    expect(decode({ stop: ["a", "b"], top_k: -1, user: "old", safety_identifier: "new" })).toMatchObject({
      request: { stopSequences: ["a", "b"], userId: "new" },
    });
    expect(decode({ top_k: -1 })).not.toMatchObject({ request: { topK: expect.anything() } });
  });

  test("keeps tools of other kinds for a server of the same dialect", () => {
    const custom = { type: "custom", custom: { name: "apply_patch" } };
    expect(decode({ tools: [custom] })).toMatchObject({
      request: { tools: [], providerTools: [{ dialect: "chat", definition: custom }] },
    });
  });

  test("may say what to cache, as clients of routers do", () => {
    const cache_control = { type: "ephemeral", ttl: "1h" };
    const messages = [
      { role: "system", content: [{ ...text("Be brief."), cache_control }] },
      { role: "user", content: [{ ...text("Hi"), cache_control: { type: "ephemeral" } }] },
    ];
    expect(decode({ messages })).toMatchObject({
      request: { systemCache: "1h", messages: [{ content: [{ ...text("Hi"), cache: "5m" }] }] },
    });
  });
});

describe("the messages of a foreign client", () => {
  test("become turns that alternate: results join what the user says next", () => {
    expect(
      messagesOf(
        { role: "user", content: "Read both." },
        {
          role: "assistant",
          content: null,
          reasoning_content: "Both.",
          tool_calls: [call("a", "read", '{"n":1}'), call("b", "read", "")],
        },
        { role: "tool", tool_call_id: "a", content: "one" },
        { role: "tool", tool_call_id: "b", content: [text("two")] },
        { role: "user", content: "Well?" },
        { role: "assistant", content: [text("Done."), { type: "refusal", refusal: "No more." }] },
        { role: "assistant", content: "" },
        { role: "user", content: "Thanks." },
        { role: "system", content: "The user is happy." },
      ),
    ).toEqual([
      { role: "user", content: [text("Read both.")] },
      {
        role: "assistant",
        content: [
          { type: "thinking", text: "Both." },
          { type: "tool_use", id: "a", name: "read", input: { n: 1 } },
          { type: "tool_use", id: "b", name: "read", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", toolCallId: "a", content: [text("one")], isError: false },
          { type: "tool_result", toolCallId: "b", content: [text("two")], isError: false },
          text("Well?"),
        ],
      },
      { role: "assistant", content: [text("Done."), text("No more.")] },
      { role: "user", content: [text("Thanks."), { ...text("The user is happy."), instructs: true }] },
    ]);
  });

  test("may answer calls in any order", () => {
    const messages = messagesOf(
      { role: "user", content: "Go." },
      { role: "assistant", tool_calls: [call("a", "f", "{}"), call("b", "f", "{}")] },
      { role: "tool", tool_call_id: "b", content: "two" },
      { role: "tool", tool_call_id: "a", content: "one" },
    );
    expect(messages.at(-1)).toMatchObject({ content: [{ toolCallId: "a" }, { toolCallId: "b" }] });
  });

  test("may hold images as data", () => {
    const url = "data:image/png;base64,iVBORw==";
    expect(messagesOf({ role: "user", content: [{ type: "image_url", image_url: { url, detail: "low" } }] })).toEqual([
      { role: "user", content: [{ type: "image", mediaType: "image/png", data: "iVBORw==" }] },
    ]);
  });

  test("may hold images at an address, files, and what only this dialect knows", () => {
    const audio = { type: "input_audio", input_audio: { data: "UklG", format: "wav" } };
    const content = [
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
      { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" } },
      { type: "file", file: { file_data: "JVBE" } },
      { type: "file", file: { file_id: "file-1" } },
      audio,
    ];
    const pdf = { type: "base64", mediaType: "application/pdf", data: "JVBE" };
    expect(messagesOf({ role: "user", content })).toEqual([
      {
        role: "user",
        content: [
          { type: "remote_image", source: { type: "url", url: "https://example.com/a.png" } },
          { type: "document", source: pdf, title: "a.pdf" },
          { type: "document", source: pdf },
          { type: "document", source: { type: "file", fileId: "file-1" } },
          { type: "opaque", dialect: "chat", data: audio },
        ],
      },
    ]);
  });

  test("bring back the seal of a call where Gemini's own endpoint puts it", () => {
    const sealed = { ...call("a", "f", "{}"), extra_content: { google: { thought_signature: "Cs0B" } } };
    const messages = messagesOf({ role: "user", content: "Go." }, { role: "assistant", tool_calls: [sealed] });
    expect(messages.at(-1)).toMatchObject({ content: [{ signature: "Cs0B" }] });
  });

  test("keep arguments that are no JSON object", () => {
    const messages = messagesOf(
      { role: "user", content: "Go." },
      { role: "assistant", tool_calls: [call("a", "f", '{"x":')] },
    );
    expect(messages.at(-1)).toMatchObject({ content: [{ input: {}, malformedInput: '{"x":' }] });
  });
});

describe("one sentence says what is wrong with", () => {
  test.each<[string, { [name: string]: JsonValue | undefined }, string]>([
    ["a missing model", { model: undefined }, "model must be a string."],
    ["an empty model", { model: "" }, "model must not be empty."],
    ["missing messages", { messages: undefined }, "messages must be an array."],
    ["no messages", { messages: [] }, "messages must not be empty."],
    ["a message that is none", { messages: ["x"] }, "messages.0 must be an object."],
    [
      "an unknown role",
      { messages: [{ role: "function", name: "f", content: "x" }] },
      'messages.0.role has a value that is not supported: "function".',
    ],
    ["content that is none", { messages: [{ role: "user", content: 7 }] }, "messages.0.content must be an array."],
    ["audio", { modalities: ["text", "audio"] }, 'modalities has a value that is not supported: ["text","audio"].'],
    [
      "an image of this machine",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "file:///etc/passwd" } }] }] },
      "messages.0.content.0.image_url.url must be a data: URL in base64, or begin with https://.",
    ],
    ["a part without a type", { messages: [{ role: "user", content: [{}] }] }, "messages.0.content.0.type is missing."],
    ["log probabilities", { logprobs: true }, "logprobs is not supported: this model is another provider's."],
    [
      "weights of words",
      { logit_bias: { "50256": -100 } },
      "logit_bias is not supported: its numbers mean other words to another provider's model.",
    ],
    [
      "a search at OpenAI",
      { web_search_options: {} },
      "web_search_options would have to run at OpenAI, and this model is another provider's.",
    ],
    [
      "a level nobody knows",
      { reasoning_effort: "utmost" },
      'reasoning_effort has a value that is not supported: "utmost".',
    ],
    [
      "a result without its call",
      {
        messages: [
          { role: "user", content: "x" },
          { role: "tool", tool_call_id: "a", content: "y" },
        ],
      },
      'messages hold a tool result for "a", which answers no call just before it.',
    ],
    [
      "the legacy function_call",
      { messages: [{ role: "assistant", function_call: { name: "f", arguments: "{}" } }] },
      "messages.0.function_call is not supported: use tool_calls.",
    ],
    ["the legacy functions", { functions: [] }, "functions is not supported: use tools."],
    [
      "a choice among tools that are not there",
      {
        tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [{ function: { name: "now" } }] } },
      },
      "tool_choice.allowed_tools.tools name no tool of this request.",
    ],
    ["a tool that is none", { tools: [{ type: 7 }] }, "tools.0.type has a value that is not supported: 7."],
    ["several answers", { n: 2 }, "n must be 1."],
    [
      "a form nobody knows",
      { response_format: { type: "xml" } },
      'response_format.type has a value that is not supported: "xml".',
    ],
    ["a bound of none", { max_tokens: 0 }, "max_tokens must be a whole number of at least 1."],
    ["a temperature in words", { temperature: "hot" }, "temperature must be a number of at least 0."],
  ])("%s", (_name, fields, problem) => {
    expect(decode(fields)).toEqual({ ok: false, problem });
  });

  test.each(["", "[]", "null", "{", "<html>"])("a body that is no JSON object: %j", (body) => {
    expect(openAiChat.decodeRequest(body)).toEqual({ ok: false, problem: "The body is not a JSON object." });
  });
});
