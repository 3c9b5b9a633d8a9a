import { NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { openAiChat } from "./codec.ts";

const choice = (message: object, finishReason = "stop") => [
  { index: 0, message: { role: "assistant", ...message }, logprobs: null, finish_reason: finishReason },
];

function decode(body: unknown) {
  return openAiChat.decodeResponse(typeof body === "string" ? body : JSON.stringify(body));
}

describe("an answer in one piece", () => {
  test("has its text, thinking, calls and token counts", () => {
    const message = {
      content: "Looking.",
      refusal: null,
      reasoning_content: "Where is it?",
      tool_calls: [
        { id: "call_a", type: "function", function: { name: "search", arguments: '{"query":"x"}' } },
        { id: "call_b", type: "function", function: { name: "list", arguments: "" } },
      ],
    };
    const usage = { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 } };
    expect(decode({ id: "1", model: "gpt-test-1", choices: choice(message, "tool_calls"), usage })).toEqual({
      ok: true,
      response: {
        message: {
          role: "assistant",
          content: [
            { type: "thinking", text: "Where is it?" },
            { type: "text", text: "Looking." },
            { type: "tool_use", id: "call_a", name: "search", input: { query: "x" } },
            { type: "tool_use", id: "call_b", name: "list", input: {} },
          ],
        },
        stopReason: "tool_use",
        usage: { ...NO_USAGE, inputTokens: 6, cacheReadTokens: 4, outputTokens: 5 },
        model: "gpt-test-1",
      },
    });
  });

  test("may be empty", () => {
    expect(decode({ choices: choice({ content: "" }, "length") })).toMatchObject({
      ok: true,
      response: { message: { content: [] }, stopReason: "max_tokens" },
    });
  });

  test("may be a refusal", () => {
    expect(decode({ choices: choice({ content: null, refusal: "No." }) })).toMatchObject({
      ok: true,
      response: { message: { content: [{ type: "text", text: "No." }] }, stopReason: "refusal" },
    });
  });
});

describe("a body that is no answer is a failure", () => {
  test.each<[string, unknown, object]>([
    ["an error with status 200", { error: { message: "Slow down.", code: 429 } }, { code: "rate_limited" }],
    ["an error inside the choice", { choices: [{ error: { code: 502, message: "x" } }] }, { code: "overloaded" }],
    ["no choices", { id: "1", choices: [] }, { code: "invalid_response", retryable: true }],
    ["HTML", "<html></html>", { code: "invalid_response" }],
    ["half of it", '{"choices":[{"message"', { code: "invalid_response" }],
    ["nothing", "", { code: "invalid_response" }],
    ["an array", "[]", { code: "invalid_response" }],
  ])("%s", (_name, body, failure) => {
    expect(decode(body)).toMatchObject({ ok: false, failure });
  });
});
