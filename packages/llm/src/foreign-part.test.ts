import type { JsonObject, LlmEvent } from "@loom/core";
import { describe, expect, test } from "vitest";
import type { LlmCodec } from "./codec.ts";
import { anthropicMessages, gemini, openAiChat, openAiResponses } from "./index.ts";
import { bytesOf } from "./wire.testing.ts";

const IMAGE = "\n(an image that this client's protocol cannot hold)\n";
const SOUND = "\n(sound that this client's protocol cannot hold)\n";

function responseOf(codec: LlmCodec, body: JsonObject) {
  const decoded = codec.decodeResponse(JSON.stringify(body));
  if (!decoded.ok) throw new Error(decoded.failure.message);
  return decoded.response;
}

function eventsOf(codec: LlmCodec, wire: string): LlmEvent[] {
  const decoder = codec.streamDecoder();
  return [...decoder.push(bytesOf(wire)), ...decoder.end()];
}

/** All text that a client of this dialect reads in an answer, in one piece and streamed. */
function read(client: LlmCodec, events: readonly LlmEvent[]): readonly [string, string] {
  const last = events.at(-1);
  if (last?.type !== "completed") throw new Error(JSON.stringify(last));
  const whole = responseOf(client, client.encodeResponse(last.response));
  const inOne = whole.message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
  const streamed = eventsOf(client, client.streamEncoder().push(events));
  return [inOne, streamed.map((event) => (event.type === "text_delta" ? event.text : "")).join("")];
}

const geminiAnswer = (...parts: JsonObject[]) =>
  eventsOf(
    gemini,
    parts
      .map((part, index) => ({
        candidates: [{ content: { parts: [part] }, ...(index === parts.length - 1 ? { finishReason: "STOP" } : {}) }],
      }))
      .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
      .join(""),
  );
const chatAnswer = (...deltas: JsonObject[]) =>
  eventsOf(
    openAiChat,
    [...deltas.map((delta) => ({ choices: [{ delta }] })), { choices: [{ delta: {}, finish_reason: "stop" }] }]
      .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
      .join(""),
  );

describe.each([
  ["Anthropic Messages", anthropicMessages],
  ["Chat Completions", openAiChat],
  ["Responses", openAiResponses],
])("what Gemini says beside text, for a client of %s", (_name, client) => {
  const png = { inlineData: { mimeType: "image/png", data: "iVBO" } };
  test.each<[string, JsonObject, string]>([
    ["an image", png, IMAGE],
    ["sound", { inlineData: { mimeType: "audio/wav", data: "UklG" } }, SOUND],
    ["code", { executableCode: { language: "PYTHON", code: "print(`1`)\n" } }, "\n```python\nprint(`1`)\n```\n"],
    ["code with a fence", { executableCode: { code: "```" } }, "\n````\n```\n````\n"],
    [
      "code with a great many ticks",
      { executableCode: { code: "` ".repeat(200_000) } },
      `\n\`\`\`\n${"` ".repeat(200_000)}\n\`\`\`\n`,
    ],
    ["what the code gave", { codeExecutionResult: { outcome: "OUTCOME_OK", output: "1\n" } }, "\n```\n1\n```\n"],
    ["what is new", { hologram: {} }, '\n(a part of the kind "hologram" that this client\'s protocol cannot hold)\n'],
    ["a search at work", { toolCall: { toolType: "GOOGLE_SEARCH_WEB" } }, ""],
  ])("%s is said in a text", (_of, part, said) => {
    expect(read(client, geminiAnswer({ text: "see" }, part))).toEqual([`see${said}`, `see${said}`]);
  });

  test("has its place in the answer of one piece, and follows the texts of a stream that has gone out", () => {
    const answer = geminiAnswer({ text: "a" }, png, { text: "b" });
    expect(read(client, answer)).toEqual([`a${IMAGE}b`, `ab${IMAGE}`]);
  });
});

describe("what a chat server says beside text", () => {
  test.each([
    ["Anthropic Messages", anthropicMessages],
    ["Gemini", gemini],
  ])("images and sound are named for a client of %s, and what is said in the sound is text", (_name, client) => {
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBO" } };
    const answer = chatAnswer(
      { content: "see" },
      { images: [image] },
      { audio: { id: "a", data: "UklG" } },
      { audio: { data: "UklG", transcript: "Hello" } },
    );
    const said = `see${IMAGE}Hello`;
    expect(read(client, answer)).toEqual([said, said]);
    const pieces = [{ transcript: "Hel" }, { data: "UklG" }, { transcript: "lo" }, { data: "UklG" }];
    expect(read(client, chatAnswer(...pieces.map((audio) => ({ audio }))))).toEqual(["Hello", "Hello"]);
    const wordless = `see${SOUND}`;
    expect(read(client, chatAnswer({ audio: { data: "UklG" } }, { content: "see" }))).toEqual([wordless, wordless]);
  });

  test("a function_call is a call, in one piece and streamed", () => {
    const call = { type: "tool_use", name: "f", input: { a: 1 } };
    const streamed = chatAnswer(
      { content: null, function_call: { name: "f", arguments: "" } },
      { function_call: { arguments: '{"a"' } },
      { function_call: { arguments: ":1}" } },
    );
    expect(streamed.at(-1)).toMatchObject({ response: { message: { content: [call] }, stopReason: "tool_use" } });
    const message = { role: "assistant", content: null, function_call: { name: "f", arguments: '{"a":1}' } };
    expect(responseOf(openAiChat, { choices: [{ message, finish_reason: "function_call" }] })).toMatchObject({
      message: { content: [call] },
      stopReason: "tool_use",
    });
  });
});

test("tools that worked at Claude or OpenAI are not told of, an image that OpenAI made is", () => {
  const searched = { type: "server_tool_use", id: "s", name: "web_search", input: {} };
  const claude = responseOf(anthropicMessages, {
    content: [searched, { type: "text", text: "So." }],
    stop_reason: "end_turn",
  });
  expect(read(openAiChat, [{ type: "completed", response: claude }])).toEqual(["So.", "So."]);
  const openAi = responseOf(openAiResponses, {
    id: "r",
    status: "completed",
    output: [{ type: "web_search_call" }, { type: "image_generation_call", result: "iVBO" }],
  });
  expect(read(gemini, [{ type: "completed", response: openAi }])).toEqual([IMAGE, IMAGE]);
});
