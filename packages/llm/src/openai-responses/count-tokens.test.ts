import type { LlmRequest } from "@loom/core";
import { expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { responsesTokenCount } from "./count-tokens.ts";

const REQUEST: LlmRequest = {
  model: "gpt-5.4",
  system: "Be brief.",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [],
  maxTokens: 100,
  temperature: 1,
};

test("the question of how many tokens a request has leaves out what has no say in it", () => {
  expect(bodyOf(responsesTokenCount.encodeRequest(REQUEST))).toEqual({
    model: "gpt-5.4",
    instructions: "Be brief.",
    input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] }],
  });
  expect(responsesTokenCount.encodeRequest({ ...REQUEST, stopSequences: ["x"] }).ok).toBe(false);
});

test("the answer is a number", () => {
  expect(responsesTokenCount.decodeResponse('{"object":"response.input_tokens","input_tokens":31}')).toBe(31);
  expect(responsesTokenCount.decodeResponse("no")).toBeUndefined();
  expect(responsesTokenCount.encodeResponse(31)).toEqual({ object: "response.input_tokens", input_tokens: 31 });
});
