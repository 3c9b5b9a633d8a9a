import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./codec.ts";

const MESSAGE = {
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: "claude-test",
  content: [
    { type: "thinking", thinking: "Hm.", signature: "EqQ" },
    { type: "redacted_thinking", data: "Emw" },
    { type: "text", text: "Yes.", citations: null },
    { type: "server_tool_use", id: "s", name: "web_search", input: {} },
    { type: "tool_use", id: "toolu_1", name: "bash", input: { a: 1 } },
  ],
  stop_reason: "tool_use",
  stop_sequence: null,
  usage: {
    input_tokens: 10,
    output_tokens: 20,
    cache_read_input_tokens: 30,
    cache_creation_input_tokens: 40,
    cache_creation: { ephemeral_5m_input_tokens: 15, ephemeral_1h_input_tokens: 25 },
    output_tokens_details: { thinking_tokens: 5 },
    service_tier: "standard",
  },
};

function contentOf(...content: object[]) {
  const decoded = anthropicMessages.decodeResponse(JSON.stringify({ ...MESSAGE, content }));
  return decoded.ok ? decoded.response.message.content : decoded.failure;
}

test("an answer in one piece gives its blocks, its reason to stop and its token counts", () => {
  expect(anthropicMessages.decodeResponse(JSON.stringify(MESSAGE))).toEqual({
    ok: true,
    response: {
      message: {
        role: "assistant",
        content: [
          { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" },
          { type: "thinking", text: "", redactedData: "Emw", dialect: "anthropic" },
          { type: "text", text: "Yes." },
          { type: "opaque", dialect: "anthropic", data: MESSAGE.content[3] },
          { type: "tool_use", id: "toolu_1", name: "bash", input: { a: 1 } },
        ],
      },
      stopReason: "tool_use",
      usage: {
        inputTokens: 10,
        outputTokens: 20,
        cacheReadTokens: 30,
        cacheWriteTokens: 40,
        cacheWriteLongTokens: 25,
        reasoningTokens: 5,
      },
      model: "claude-test",
    },
  });
});

test("a call whose input is no object keeps it as malformed", () => {
  const call = { type: "tool_use", id: "a", name: "bash" };
  expect(contentOf({ ...call, input: "rm -rf" }, { ...call, input: [1] }, { ...call, input: '{"n":1}' }, call)).toEqual(
    [
      { ...call, input: {}, malformedInput: "rm -rf" },
      { ...call, input: {}, malformedInput: "[1]" },
      { ...call, input: { n: 1 } },
      { ...call, input: {} },
    ],
  );
});

describe("a body that is no answer", () => {
  test.each([
    ["nothing", "", "invalid_response", true],
    ["half an answer", JSON.stringify(MESSAGE).slice(0, -20), "invalid_response", true],
    ["a page of HTML", "<html></html>", "invalid_response", true],
    ["JSON of another shape", '{"object":"chat.completion"}', "invalid_response", true],
    ["an error", '{"type":"error","error":{"type":"overloaded_error","message":"Sorry."}}', "overloaded", true],
    ["an error of the request", '{"error":{"type":"invalid_request_error"}}', "invalid_request", false],
  ])("is one failure: %s", (_name, body, code, retryable) => {
    expect(anthropicMessages.decodeResponse(body)).toMatchObject({ ok: false, failure: { code, retryable } });
  });
});
