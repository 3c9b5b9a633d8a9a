import type { LlmRequest } from "@loom/core";
import { describe, expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { openAiChat, openAiChatCodec } from "./codec.ts";

const REQUEST: LlmRequest = {
  model: "gpt-test",
  system: "You are helpful.",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [],
  maxTokens: 100,
};

const PNG = { type: "image", mediaType: "image/png", data: "iVBORw==" } as const;
const PNG_PART = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw==" } };

function messagesOf(messages: LlmRequest["messages"], codec = openAiChat) {
  return bodyOf(codec.encodeRequest({ ...REQUEST, system: "", messages }, { stream: false })).messages;
}

describe("a request", () => {
  test("to stream asks for the token counts, too", () => {
    expect(bodyOf(openAiChat.encodeRequest({ ...REQUEST, temperature: 0.5 }, { stream: true }))).toEqual({
      model: "gpt-test",
      messages: [
        { role: "system", content: "You are helpful." },
        { role: "user", content: "Hi" },
      ],
      max_completion_tokens: 100,
      temperature: 0.5,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test("says nothing of what it does not use: streaming, tools, a system prompt, a temperature", () => {
    expect(bodyOf(openAiChat.encodeRequest({ ...REQUEST, system: "" }, { stream: false }))).toEqual({
      model: "gpt-test",
      messages: [{ role: "user", content: "Hi" }],
      max_completion_tokens: 100,
    });
  });

  test("names the bound of the answer as the server wants it", () => {
    const body = bodyOf(openAiChatCodec({ maxTokensField: "max_tokens" }).encodeRequest(REQUEST, { stream: false }));
    expect(body.max_tokens).toBe(100);
    expect(body).not.toHaveProperty("max_completion_tokens");
  });

  test("describes tools as functions", () => {
    const inputSchema = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
    const tools = [{ name: "read_file", description: "Read a file.", inputSchema }];
    expect(bodyOf(openAiChat.encodeRequest({ ...REQUEST, tools }, { stream: false })).tools).toEqual([
      { type: "function", function: { name: "read_file", description: "Read a file.", parameters: inputSchema } },
    ]);
  });
});

describe("what a person said", () => {
  test("is a string where it is only text", () => {
    const content = [{ type: "text", text: "One." } as const, { type: "text", text: "Two." } as const];
    expect(messagesOf([{ role: "user", content }])).toEqual([{ role: "user", content: "One.\n\nTwo." }]);
  });

  test("is a list of parts where there is an image", () => {
    expect(messagesOf([{ role: "user", content: [{ type: "text", text: "See:" }, PNG] }])).toEqual([
      { role: "user", content: [{ type: "text", text: "See:" }, PNG_PART] },
    ]);
  });
});

describe("an answer that goes back", () => {
  const call = { type: "tool_use", id: "call_a", name: "search", input: { query: "x" } } as const;
  const wireCall = { id: "call_a", type: "function", function: { name: "search", arguments: '{"query":"x"}' } };

  test("has the arguments of its calls as JSON text", () => {
    expect(messagesOf([{ role: "assistant", content: [{ type: "text", text: "Looking." }, call] }])).toEqual([
      { role: "assistant", content: "Looking.", tool_calls: [wireCall] },
    ]);
  });

  test("has no content where it only calls tools", () => {
    expect(messagesOf([{ role: "assistant", content: [call] }])).toEqual([
      { role: "assistant", content: null, tool_calls: [wireCall] },
    ]);
  });

  test("never holds what a server would choke on: broken arguments, impossible names", () => {
    const broken = { ...call, name: "functions.search files", input: {}, malformedInput: '{"query":' };
    const nameless = { ...call, name: "" };
    expect(messagesOf([{ role: "assistant", content: [broken, nameless] }])).toMatchObject([
      {
        tool_calls: [
          { function: { name: "functions_search_files", arguments: "{}" } },
          { function: { name: "unknown" } },
        ],
      },
    ]);
  });

  test("leaves thinking out, but where the server wants it back", () => {
    const content = [
      { type: "thinking", text: "Hm. " },
      { type: "thinking", text: "Sealed elsewhere.", signature: "s" },
      { type: "thinking", text: "", redactedData: "x" },
      { type: "thinking", text: "So." },
      { type: "text", text: "42" },
    ] as const;
    expect(messagesOf([{ role: "assistant", content }])).toEqual([{ role: "assistant", content: "42" }]);
    expect(
      messagesOf([{ role: "assistant", content }], openAiChatCodec({ thinkingField: "reasoning_content" })),
    ).toEqual([{ role: "assistant", content: "42", reasoning_content: "Hm. So." }]);
  });
});

describe("results of tools", () => {
  const result = { type: "tool_result", toolCallId: "call_a", isError: false } as const;

  test("are messages of their own, before what the person said", () => {
    const content = [
      { type: "text", text: "Go on." },
      {
        ...result,
        content: [
          { type: "text", text: "one" },
          { type: "text", text: "two" },
        ],
      },
      { ...result, toolCallId: "call_b", content: [] },
    ] as const;
    expect(messagesOf([{ role: "user", content }])).toEqual([
      { role: "tool", tool_call_id: "call_a", content: "one\ntwo" },
      { role: "tool", tool_call_id: "call_b", content: "" },
      { role: "user", content: "Go on." },
    ]);
  });

  test("say that they are errors", () => {
    const failed = (text: string) => ({ ...result, isError: true, content: [{ type: "text", text } as const] });
    expect(messagesOf([{ role: "user", content: [failed("No such file."), failed("Error: no such file.")] }])).toEqual([
      { role: "tool", tool_call_id: "call_a", content: "Error: No such file." },
      { role: "tool", tool_call_id: "call_a", content: "Error: no such file." },
    ]);
  });

  test("have their images follow in a user message, after all results", () => {
    const content = [
      { ...result, content: [{ type: "text", text: "A picture." }, PNG] },
      { ...result, toolCallId: "call_b", content: [PNG, PNG] },
      { type: "text", text: "What is it?" },
    ] as const;
    expect(messagesOf([{ role: "user", content }])).toEqual([
      { role: "tool", tool_call_id: "call_a", content: "A picture.\n(An image follows in the next message.)" },
      { role: "tool", tool_call_id: "call_b", content: "(2 images follow in the next message.)" },
      {
        role: "user",
        content: [
          { type: "text", text: "From the tool call call_a:" },
          PNG_PART,
          { type: "text", text: "From the tool call call_b:" },
          PNG_PART,
          PNG_PART,
          { type: "text", text: "What is it?" },
        ],
      },
    ]);
  });
});
