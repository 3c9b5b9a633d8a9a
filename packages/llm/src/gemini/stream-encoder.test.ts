import { type AssistantContent, type JsonObject, type LlmEvent, type LlmResponse, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { unwrapSeal } from "../foreign-seal.ts";
import { gemini } from "./codec.ts";

const IDENTITY = { id: "r1", model: "gemini-test" };

function encode(...events: LlmEvent[]): JsonObject[] {
  const encoder = gemini.streamEncoder(IDENTITY);
  const text = events.map((event) => encoder.push([event])).join("");
  return text.split("\r\n\r\n").flatMap((event) => {
    if (event === "") return [];
    expect(event).toMatch(/^data: [^\n]+$/);
    return [JSON.parse(event.slice("data: ".length))];
  });
}

function response(...content: AssistantContent[]): LlmResponse {
  const stopReason = content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn";
  const usage = { ...NO_USAGE, inputTokens: 20, cacheReadTokens: 100, outputTokens: 30, reasoningTokens: 12 };
  return { message: { role: "assistant", content }, stopReason, usage, model: "gemini-test" };
}

const completed = (...content: AssistantContent[]): LlmEvent => ({ type: "completed", response: response(...content) });
const chunk = (...parts: JsonObject[]) => ({
  candidates: [{ content: { role: "model", parts }, index: 0 }],
  modelVersion: "gemini-test",
  responseId: "r1",
});
const USAGE = {
  promptTokenCount: 120,
  cachedContentTokenCount: 100,
  candidatesTokenCount: 18,
  thoughtsTokenCount: 12,
  totalTokenCount: 150,
};
const last = (finishReason: string, ...parts: JsonObject[]) => ({
  ...chunk(),
  candidates: [{ content: { role: "model", parts }, finishReason, index: 0 }],
  usageMetadata: USAGE,
});

describe("a stream to a client", () => {
  test("has a chunk for each text, and calls with the reason and the token counts at the end", () => {
    const call: AssistantContent = { type: "tool_use", id: "a", name: "ls", input: { n: 1 }, signature: "Cs0B" };
    expect(
      encode(
        { type: "thinking_delta", text: "Hm." },
        { type: "thinking_signature", signature: "c2Vh", dialect: "gemini" },
        { type: "text_delta", text: "Look" },
        { type: "text_delta", text: "ing." },
        { type: "tool_call_delta", callId: "a", name: "ls", argumentsFragment: '{"n":1}' },
        completed(
          { type: "thinking", text: "Hm.", signature: "c2Vh", dialect: "gemini" },
          { type: "text", text: "Looking.", signature: "bGVk" },
          call,
        ),
        { type: "text_delta", text: "too late" },
      ),
    ).toEqual([
      chunk({ text: "Hm.", thought: true }),
      chunk({ text: "", thought: true, thoughtSignature: "c2Vh" }),
      chunk({ text: "Look" }),
      chunk({ text: "ing." }),
      last(
        "STOP",
        { text: "", thoughtSignature: "bGVk" },
        { functionCall: { id: "a", name: "ls", args: { n: 1 } }, thoughtSignature: "Cs0B" },
      ),
    ]);
  });

  test("leaves the seal of another provider, with its thought, on the call that it led to", () => {
    const thought: AssistantContent = { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" };
    const call: AssistantContent = { type: "tool_use", id: "a", name: "ls", input: {} };
    const events = encode(
      { type: "thinking_delta", text: "Hm." },
      { type: "thinking_signature", signature: "EqQ", dialect: "anthropic" },
      completed(thought, call),
    );
    const whole = gemini.encodeResponse(response(thought, call), IDENTITY);
    for (const body of [events.at(-1), whole]) {
      const [, seal = ""] = /.*"thoughtSignature":"([^"]+)"/.exec(JSON.stringify(body)) ?? [];
      expect(unwrapSeal(seal)).toEqual({
        kind: "signature",
        data: "EqQ",
        dialect: "anthropic",
        text: "Hm.",
        at: 0,
        textLength: 0,
      });
    }
    expect(events[0]).toEqual(chunk({ text: "Hm.", thought: true }));
  });

  test("counts what it says itself, of an image for one, to the text that came before a thought and a call", () => {
    const image: AssistantContent = { type: "opaque", dialect: "responses", data: { type: "image_generation_call" } };
    const thought: AssistantContent = { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" };
    const call: AssistantContent = { type: "tool_use", id: "a", name: "ls", input: {} };
    const whole = gemini.encodeResponse(response(image, thought, call), IDENTITY);
    for (const body of [encode(completed(image, thought, call)).at(-1), whole]) {
      const [, said = ""] = /"text":"(\\n[^"]+)"/.exec(JSON.stringify(body)) ?? [];
      const [, seal = ""] = /.*"thoughtSignature":"([^"]+)"/.exec(JSON.stringify(body)) ?? [];
      const { length } = String(JSON.parse(`"${said}"`));
      expect(length).toBeGreaterThan(0);
      expect(unwrapSeal(seal)).toMatchObject({ at: length, textLength: length });
    }
  });

  test.each([
    ["end_turn", "STOP"],
    ["stop_sequence", "STOP"],
    ["max_tokens", "MAX_TOKENS"],
    ["context_window_exceeded", "MAX_TOKENS"],
    ["refusal", "SAFETY"],
    ["pause_turn", "OTHER"],
    ["unknown", "OTHER"],
  ] as const)("says %s as %s", (stopReason, finishReason) => {
    const whole = { ...response({ type: "text", text: "Hi" }), stopReason };
    expect(gemini.encodeResponse(whole, IDENTITY)).toEqual(last(finishReason, { text: "Hi" }));
    expect(encode({ type: "completed", response: whole })).toEqual([last(finishReason, { text: "Hi" })]);
  });

  test("ends an error with a bare object, which is what the official client throws", () => {
    const encoder = gemini.streamEncoder(IDENTITY);
    encoder.push([{ type: "text_delta", text: "Hel" }]);
    const error = { code: "rate_limited", message: "Slow.", retryable: true, retryAfterMs: 1_500 } as const;
    expect(JSON.parse(encoder.push([{ type: "error", error }]))).toEqual({
      error: {
        code: 429,
        message: "Slow.",
        status: "RESOURCE_EXHAUSTED",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }],
      },
    });
  });
});
