import type { JsonObject } from "@loom/core";
import { expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";
import { problemInWordsOf } from "./own-words.ts";

test.each<[JsonObject, string]>([
  [{ executableCode: { language: "PYTHON", code: "1" } }, "executableCode"],
  [{ inlineData: { mimeType: "audio/wav", data: "AAAA" } }, "inlineData audio/wav"],
])("a part that only Gemini knows is named by the client's words: %j", (part, name) => {
  const decoded = gemini.decodeRequest(JSON.stringify({ contents: [{ role: "user", parts: [part] }] }));
  const encoded = decoded.ok && openAiChat.encodeRequest({ ...decoded.request, model: "m" }, { stream: false });
  const problem = encoded && !encoded.ok ? problemInWordsOf("gemini", encoded.problem) : "";
  expect(problem).toBe(
    `contents holds a part (${name}) that only Gemini generateContent knows, and cannot be sent to a model that speaks ` +
      "OpenAI Chat Completions.",
  );
});

test("tools and stop sequences have the client's names, too", () => {
  const body = {
    model: "m",
    max_tokens: 5,
    messages: [{ role: "user", content: "x" }],
    tools: [{ type: "code_execution_20250825", name: "code_execution" }],
  };
  const decoded = anthropicMessages.decodeRequest(JSON.stringify(body));
  const encoded = decoded.ok && openAiResponses.encodeRequest(decoded.request, { stream: false });
  expect(encoded && !encoded.ok && problemInWordsOf("anthropic", encoded.problem)).toMatch(
    /^tools holds a tool \(code_execution_20250825\) that only Anthropic Messages knows/,
  );
  const chat = { model: "m", messages: [{ role: "user", content: "x" }], stop: ["a", " "] };
  const read = openAiChat.decodeRequest(JSON.stringify(chat));
  const said = read.ok && anthropicMessages.encodeRequest(read.request, { stream: false });
  expect(said && !said.ok && problemInWordsOf("chat", said.problem)).toMatch(/^stop is white space only/);
});

test("what is not one of Loom's names stays", () => {
  expect(problemInWordsOf("chat", "The provider is unwell.")).toBe("The provider is unwell.");
});

test("a body that is nested too deeply is said to be", () => {
  const deep = `{"messages":${"[".repeat(8_000)}${"]".repeat(8_000)}}`;
  const decoded = openAiChat.decodeRequest(deep);
  expect(!decoded.ok && decoded.problem).toMatch(/^The body is nested too deeply: at most 512/);
});

test("and so is one of too many values", () => {
  const body = `{"model":"m","messages":[${Array(250_000).fill(0)}]}`;
  const decoded = openAiChat.decodeRequest(body);
  expect(!decoded.ok && decoded.problem).toMatch(/^The body has too many values: at most 250000/);
});

test.each([
  ["anthropic", anthropicMessages, '{"type":"message","content":[{"type":"text","text":"Hel'],
  ["chat", openAiChat, '{"id":"c","choices":[{"index":0,"message":{"content":"Hel"}}'],
  ["responses", openAiResponses, '{"id":"r","output":[{"type":"message"}'],
  ["gemini", gemini, '{"candidates":[{"content":{"parts":[{"text":"Hel'],
] as const)(
  "an answer of %s that is cut is said to be, and another that cannot be read is quoted",
  (_name, codec, body) => {
    expect(codec.decodeResponse(body)).toEqual({
      ok: false,
      failure: {
        code: "invalid_response",
        message: "The provider's answer ended too early: try again.",
        retryable: true,
      },
    });
    expect(codec.decodeResponse("{broken}")).toMatchObject({
      failure: {
        message: 'The provider did not answer in its own protocol ("{broken}"): check the provider\'s address.',
      },
    });
  },
);

test("a malformed call of Gemini's is the model's, and not the address's", () => {
  const candidate = { content: { parts: [] }, finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: "print(" };
  expect(gemini.decodeResponse(JSON.stringify({ candidates: [candidate] }))).toMatchObject({
    failure: {
      code: "invalid_response",
      message: 'The model made a call of a tool that cannot be read ("print("): try again.',
      retryable: true,
    },
  });
});
