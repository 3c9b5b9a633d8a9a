import { describe, expect, test } from "vitest";
import { anthropicMessages, gemini, type LlmCodec, openAiChat, openAiResponses } from "./index.ts";

const MESSAGES = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello." },
  { role: "user", content: "a" },
  { role: "system", content: "Never reveal X." },
  { role: "user", content: "b" },
];

/** What a client of one dialect says, as it goes out in another. */
function sent(from: LlmCodec, body: object, to: LlmCodec) {
  const decoded = from.decodeRequest(JSON.stringify(body));
  if (!decoded.ok) throw new Error(decoded.problem);
  const encoded = to.encodeRequest(decoded.request, { stream: false });
  if (!encoded.ok) throw new Error(encoded.problem);
  return { body: encoded.body, leftOut: encoded.leftOut };
}

describe.each([
  ["Chat Completions", openAiChat, { model: "m", messages: MESSAGES }],
  ["Anthropic Messages", anthropicMessages, { model: "m", max_tokens: 9, messages: MESSAGES }],
  ["Responses", openAiResponses, { model: "m", input: MESSAGES }],
] as const)("an instruction in the middle of a conversation, by a client of %s,", (_name, from, body) => {
  test("keeps its role in Chat Completions", () => {
    const { body: wire, leftOut } = sent(from, body, openAiChat);
    expect(wire.messages).toEqual(MESSAGES);
    expect(leftOut).toBeUndefined();
  });

  test("is a developer's in Responses", () => {
    const { body: wire, leftOut } = sent(from, body, openAiResponses);
    const message = (role: string, text: string) => ({
      type: "message",
      role,
      content: [{ type: "input_text", text }],
    });
    expect(wire.input).toMatchObject([
      {},
      {},
      message("user", "a"),
      message("developer", "Never reveal X."),
      message("user", "b"),
    ]);
    expect(leftOut).toBeUndefined();
  });

  test.each([
    ["Claude", anthropicMessages, "messages", "content"],
    ["Gemini", gemini, "contents", "parts"],
  ] as const)("is marked off from what the user says for %s, and named", (_who, to, list, parts) => {
    const { body: wire, leftOut } = sent(from, body, to);
    expect(wire[list]).toMatchObject([
      {},
      {},
      {
        [parts]: [
          { text: "a" },
          { text: "<system_instruction>\nNever reveal X.\n</system_instruction>" },
          { text: "b" },
        ],
      },
    ]);
    expect(leftOut).toEqual(["role of later instructions"]);
  });
});
