import type { JsonValue } from "@loom/core";
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
      request: {
        model: "gpt-test",
        system: "Be brief.\n\nBe kind.",
        messages: [{ role: "user", content: [text("Hi")] }],
        tools: [
          { name: "read_file", description: "Read.", inputSchema: parameters },
          { name: "now", description: "", inputSchema: { type: "object", properties: {} } },
        ],
        maxTokens: 500,
        temperature: 0.3,
      },
    });
  });

  test.each<[string, object, number]>([
    ["max_tokens", { max_tokens: 7 }, 7],
    ["the newer name first", { max_tokens: 7, max_completion_tokens: 8 }, 8],
    ["a default", { max_tokens: null }, 8_192],
  ])("has its bound from %s", (_name, fields, maxTokens) => {
    expect(decode({ ...fields })).toMatchObject({ ok: true, stream: false, request: { maxTokens } });
  });

  test("that forbids tools gets none", () => {
    const tools = [{ type: "function", function: { name: "now" } }];
    expect(decode({ tools, tool_choice: "none" })).toMatchObject({ ok: true, request: { tools: [] } });
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
      { role: "user", content: [text("Thanks."), text("The user is happy.")] },
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
    ["only instructions", { messages: [{ role: "system", content: "x" }] }, "messages must not be empty."],
    [
      "an answer at the start",
      { messages: [{ role: "assistant", content: "x" }] },
      "messages must begin with the role user.",
    ],
    ["a message that is none", { messages: ["x"] }, "messages.0 must be an object."],
    [
      "an unknown role",
      { messages: [{ role: "function", name: "f", content: "x" }] },
      'messages.0.role has a value that is not supported: "function".',
    ],
    ["content that is none", { messages: [{ role: "user", content: 7 }] }, "messages.0.content must be an array."],
    [
      "audio",
      { messages: [{ role: "user", content: [{ type: "input_audio" }] }] },
      'messages.0.content.0.type has a value that is not supported: "input_audio".',
    ],
    [
      "an image at an address",
      {
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }] }],
      },
      "messages.0.content.0.image_url.url must be a data: URL in base64: images at an address are not fetched.",
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
    ["a custom tool", { tools: [{ type: "custom" }] }, 'tools.0.type has a value that is not supported: "custom".'],
    ["several answers", { n: 2 }, "n must be 1."],
    [
      "a prescribed format",
      { response_format: { type: "json_object" } },
      'response_format has a value that is not supported: {"type":"json_object"}.',
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
