import type { LlmRequest } from "@loom/core";
import { expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { geminiTokenCount } from "./count-tokens.ts";

const REQUEST: LlmRequest = {
  model: "gemini-test",
  system: "Be brief.",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [],
  maxTokens: 100,
};
const BODY = {
  contents: [{ role: "user", parts: [{ text: "Hi" }] }],
  systemInstruction: { parts: [{ text: "Be brief." }] },
  generationConfig: { maxOutputTokens: 100 },
};

test("the question of how many tokens a request has holds the request and, but for Vertex AI, its model", () => {
  expect(bodyOf(geminiTokenCount.encodeRequest(REQUEST, { vertex: true }))).toEqual(BODY);
  expect(bodyOf(geminiTokenCount.encodeRequest(REQUEST, { vertex: false }))).toEqual({
    generateContentRequest: { model: "models/gemini-test", ...BODY },
  });
});

test("a client asks in either form", () => {
  for (const vertex of [true, false]) {
    const body = JSON.stringify(bodyOf(geminiTokenCount.encodeRequest(REQUEST, { vertex })));
    const model = vertex ? "" : "gemini-test";
    expect(geminiTokenCount.decodeRequest(body)).toEqual({ ok: true, request: { ...REQUEST, model }, stream: false });
  }
  expect(geminiTokenCount.decodeRequest("[]").ok).toBe(false);
});

test("the answer is a number", () => {
  expect(geminiTokenCount.decodeResponse('{"totalTokens":31,"promptTokensDetails":[]}')).toBe(31);
  expect(geminiTokenCount.decodeResponse("{}")).toBeUndefined();
  expect(geminiTokenCount.encodeResponse(31)).toEqual({ totalTokens: 31 });
});
