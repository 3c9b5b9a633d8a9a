import type { JsonObject } from "@loom/core";
import { describe, expect, test } from "vitest";
import { gemini } from "./codec.ts";
import { answerOf, arrayStream, chunk, decode, STOP, stream } from "./gemini.testing.ts";

const call = (name: string, fields: JsonObject = {}) => ({ functionCall: { name, args: { n: 1 }, ...fields } });

const CHUNKS = [
  chunk([{ text: "Hm.", thought: true }], { usageMetadata: { promptTokenCount: 120, totalTokenCount: 120 } }),
  chunk([{ text: "Look" }]),
  chunk([{ text: "ing." }]),
  chunk([{ ...call("ls", { id: "a" }), thoughtSignature: "Cs0B" }, call("ls", { id: "b" })]),
  chunk([{ text: "" }], {
    ...STOP,
    usageMetadata: {
      promptTokenCount: 120,
      cachedContentTokenCount: 100,
      candidatesTokenCount: 18,
      thoughtsTokenCount: 12,
      totalTokenCount: 150,
    },
  }),
];

const EVENTS = [
  { type: "thinking_delta", text: "Hm." },
  { type: "text_delta", text: "Look" },
  { type: "text_delta", text: "ing." },
  { type: "tool_call_delta", callId: "a", name: "ls", argumentsFragment: '{"n":1}' },
  { type: "tool_call_delta", callId: "b", name: "ls", argumentsFragment: '{"n":1}' },
  {
    type: "completed",
    response: {
      message: {
        role: "assistant",
        content: [
          { type: "thinking", text: "Hm.", dialect: "gemini" },
          { type: "text", text: "Looking." },
          { type: "tool_use", id: "a", name: "ls", input: { n: 1 }, signature: "Cs0B" },
          { type: "tool_use", id: "b", name: "ls", input: { n: 1 } },
        ],
      },
      stopReason: "tool_use",
      usage: {
        inputTokens: 20,
        outputTokens: 30,
        cacheReadTokens: 100,
        cacheWriteTokens: 0,
        cacheWriteLongTokens: 0,
        reasoningTokens: 12,
      },
      model: "gemini-test",
    },
  },
];

describe("a stream of Gemini", () => {
  test.each([
    ["events", stream(...CHUNKS)],
    ["one JSON array", arrayStream(...CHUNKS)],
  ])("as %s gives thoughts, texts, calls with seals, and token counts", (_name, text) => {
    expect(decode(text)).toEqual(EVENTS);
  });

  test("may be an answer without streaming", () => {
    const body = JSON.stringify(chunk([{ text: "Hi" }], STOP));
    expect(decode(body).at(-1)).toMatchObject({
      response: { message: { content: [{ text: "Hi" }] }, stopReason: "end_turn" },
    });
  });

  test("may end without a blank line, but not without a reason", () => {
    const whole = stream(chunk([{ text: "Hi" }], STOP));
    expect(decode(whole.trimEnd()).at(-1)).toMatchObject({ type: "completed" });
    expect(decode(stream(chunk([{ text: "Hi" }]))).at(-1)).toMatchObject({
      error: { code: "network", retryable: true },
    });
    expect(decode(whole.slice(0, -20)).at(-1)).toMatchObject({ error: { code: "invalid_response", retryable: true } });
  });

  test("gives calls without ids some of their own, the same ones each time", () => {
    const text = stream(chunk([call("f"), call("f"), call("g")], STOP));
    const ids = answerOf(text).message.content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
    expect(new Set(ids).size).toBe(3);
    expect(answerOf(text)).toEqual(answerOf(text));
    const other = stream(chunk([call("f")], { ...STOP, responseId: "r2" }));
    expect(answerOf(other).message.content).not.toMatchObject([{ id: ids[0] }]);
  });

  test("keeps seals with the parts they came with, also one that comes behind its text", () => {
    const text = stream(
      chunk([{ text: "A", thought: true }]),
      chunk([{ text: "", thought: true, thoughtSignature: "c2Vh" }]),
      chunk([{ text: "B" }]),
      chunk([{ text: "", thoughtSignature: "bGVk" }]),
      chunk([{ text: "C" }], STOP),
    );
    expect(answerOf(text).message.content).toEqual([
      { type: "thinking", text: "A", signature: "c2Vh", dialect: "gemini" },
      { type: "text", text: "B", signature: "bGVk" },
      { type: "text", text: "C" },
    ]);
    expect(decode(text)).toContainEqual({ type: "thinking_signature", signature: "c2Vh", dialect: "gemini" });
  });

  test("keeps what the provider's own tools did", () => {
    const parts = [{ executableCode: { language: "PYTHON", code: "1" } }, { codeExecutionResult: { output: "1" } }];
    expect(answerOf(stream(chunk(parts, STOP))).message.content).toEqual(
      parts.map((data) => ({ type: "opaque", dialect: "gemini", data })),
    );
  });
});

describe("the reason to stop", () => {
  test.each([
    ["MAX_TOKENS", "max_tokens"],
    ["SAFETY", "refusal"],
    ["RECITATION", "refusal"],
    ["PROHIBITED_CONTENT", "refusal"],
    ["SUNSET", "unknown"],
  ])("%s is %s", (finishReason, stopReason) => {
    expect(answerOf(stream(chunk([{ text: "Hi" }], { finishReason }))).stopReason).toBe(stopReason);
  });

  test.each([
    ["MALFORMED_FUNCTION_CALL", "invalid_response", true],
    ["UNEXPECTED_TOOL_CALL", "invalid_response", true],
    ["TOO_MANY_TOOL_CALLS", "invalid_response", true],
    ["NO_IMAGE", "invalid_response", true],
    ["OTHER", "invalid_response", true],
    ["MISSING_THOUGHT_SIGNATURE", "invalid_request", false],
  ])("%s is a failure, also behind half an answer", (finishReason, code, retryable) => {
    const half = chunk([{ text: "Hal" }], { finishReason });
    for (const last of [chunk([], { finishReason }), half]) {
      expect(decode(stream(last)).at(-1)).toMatchObject({ error: { code, retryable } });
    }
    expect(gemini.decodeResponse(JSON.stringify(half))).toMatchObject({ ok: false, failure: { code, retryable } });
  });

  test("is a refusal where the prompt was blocked", () => {
    const blocked = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 5 } };
    expect(decode(stream(blocked))).toMatchObject([
      { response: { stopReason: "refusal", message: { content: [] }, usage: { inputTokens: 5 } } },
    ]);
  });
});

describe("token counts", () => {
  const usageOf = (usageMetadata: JsonObject) =>
    answerOf(stream(chunk([{ text: "Hi" }], { ...STOP, usageMetadata }))).usage;

  test("include what the provider's own tools read", () => {
    expect(
      usageOf({ promptTokenCount: 5, toolUsePromptTokenCount: 7, candidatesTokenCount: 1, totalTokenCount: 13 }),
    ).toMatchObject({
      inputTokens: 12,
      outputTokens: 1,
    });
  });

  test("do not count thinking twice where the total says that it is inside", () => {
    expect(
      usageOf({ promptTokenCount: 5, candidatesTokenCount: 30, thoughtsTokenCount: 12, totalTokenCount: 35 }),
    ).toMatchObject({
      outputTokens: 30,
      reasoningTokens: 12,
    });
  });
});

describe("a stream that fails", () => {
  const error = { code: 503, message: "Busy.", status: "UNAVAILABLE" };

  test.each([
    ["as an event", stream({ error })],
    ["as an element of the array", arrayStream({ error })],
    ["behind the events, as it is", JSON.stringify({ error }, null, 2)],
    ["behind the events, in a list", JSON.stringify([{ error }])],
  ])("%s says why", (name, text) => {
    const before = name.includes("array") ? "" : stream(chunk([{ text: "Hi" }]));
    expect(decode(before, text).at(-1)).toMatchObject({
      error: { code: "overloaded", retryable: true, message: expect.stringContaining("Busy.") },
    });
  });

  test("without having begun, says what came instead", () => {
    expect(decode(JSON.stringify({ error })).at(-1)).toMatchObject({ error: { code: "overloaded" } });
    expect(decode("").at(-1)).toMatchObject({ error: { code: "network" } });
    expect(decode("<html>502</html>").at(-1)).toMatchObject({ error: { code: "invalid_response" } });
  });
});
