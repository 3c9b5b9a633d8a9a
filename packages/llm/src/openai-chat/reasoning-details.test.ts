import type { JsonObject } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "../anthropic-messages/codec.ts";
import { gemini } from "../gemini/codec.ts";
import { openAiResponses } from "../openai-responses/codec.ts";
import { openAiChatCodec } from "./codec.ts";

const router = openAiChatCodec({ thinkingField: "reasoning", sealedThinking: true });
const deepseek = openAiChatCodec({ thinkingField: "reasoning_content" });
const IDENTITY = { id: "1", model: "m", origin: "chat" };

const TEXT = { type: "reasoning.text", text: "First this, then that.", format: "anthropic-claude-v1", index: 0 };
const SEALED = { ...TEXT, signature: "EqQ" };
const CIPHER = { type: "reasoning.encrypted", data: "gAAA", id: "tool_0", format: "google-gemini-v1", index: 0 };
const CALL = { index: 0, id: "a", type: "function", function: { name: "ls", arguments: "{}" } };

function stream(...deltas: object[]): Uint8Array {
  const chunks = [...deltas.map((delta) => ({ delta })), { delta: {}, finish_reason: "tool_calls" }];
  const lines = chunks.map((choice) => `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, ...choice }] })}\n\n`);
  return new TextEncoder().encode(`${lines.join("")}data: [DONE]\n\n`);
}

function whole(message: object): string {
  return JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, message, finish_reason: "tool_calls" }] });
}

const piece = (text: string, more: object = {}) => ({ ...TEXT, text, signature: null, ...more });
/** How Claude's thoughts come, whose seal is there before the text, and Gemini's, whose seal comes with the call. */
const ANSWERS = [
  {
    name: "sealed before the text",
    details: [SEALED],
    streamed: stream(
      { reasoning: "First this", reasoning_details: [piece("First this")] },
      { reasoning: ", then that.", reasoning_details: [piece(", then that.")] },
      { reasoning_details: [{ type: "reasoning.text", signature: "EqQ", index: 0 }] },
      { content: "So" },
      { tool_calls: [CALL] },
    ),
    message: { reasoning: TEXT.text, reasoning_details: [SEALED], content: "So", tool_calls: [CALL] },
  },
  {
    name: "sealed with the call",
    details: [TEXT, CIPHER],
    streamed: stream(
      { reasoning: TEXT.text, reasoning_details: [TEXT] },
      { content: "So" },
      { tool_calls: [CALL], reasoning_details: [CIPHER] },
    ),
    message: { reasoning: TEXT.text, reasoning_details: [TEXT, CIPHER], content: "So", tool_calls: [CALL] },
  },
];

/** What a client of Anthropic Messages keeps of a stream. */
function blocksOf(events: string): JsonObject[] {
  const blocks: Record<string, string>[] = [];
  for (const line of events.split("\n")) {
    if (!line.startsWith("data: ")) continue;
    const { type, index, content_block: block, delta } = JSON.parse(line.slice(6));
    if (type === "content_block_start") blocks[index] = { ...block, input: "" };
    const [, [field, value] = []] = Object.entries(type === "content_block_delta" ? delta : {}) as [string, string][];
    const name = field === "partial_json" ? "input" : field;
    const open = blocks[index];
    if (open !== undefined && name !== undefined) open[name] = (open[name] ?? "") + value;
  }
  return blocks.map(({ input = "", ...block }) =>
    block.type === "tool_use" ? { ...block, input: JSON.parse(input) } : block,
  );
}

describe.each(ANSWERS)("an answer of OpenRouter's, $name", ({ details, streamed, message }) => {
  const decoder = router.streamDecoder();
  const events = [...decoder.push(streamed), ...decoder.end()];
  const decoded = router.decodeResponse(whole(message));
  if (!decoded.ok) throw new Error("It cannot be read.");
  const histories = [
    { content: blocksOf(anthropicMessages.streamEncoder(IDENTITY).push(events)) },
    { content: anthropicMessages.encodeResponse(decoded.response, IDENTITY).content },
  ];

  test.each(histories)(
    "comes back to it with its seals by a client of Anthropic Messages, and goes to no other",
    ({ content }) => {
      const user = { role: "user", content: "Hi" };
      const result = { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "x" }] };
      const messages = [user, { role: "assistant", content }, result];
      const asked = anthropicMessages.decodeRequest(JSON.stringify({ model: "m", max_tokens: 9, messages }));
      if (!asked.ok) throw new Error(asked.problem);
      const back = router.encodeRequest(asked.request, { stream: false });
      expect(back).not.toHaveProperty("leftOut");
      const answer = { role: "assistant", content: "So", reasoning: TEXT.text, reasoning_details: details };
      expect(back).toMatchObject({ ok: true, body: { messages: [user, answer, { role: "tool" }] } });
      for (const other of [deepseek, anthropicMessages, gemini, openAiResponses]) {
        const encoded = other.encodeRequest(asked.request, { stream: false });
        expect(encoded).toMatchObject({ ok: true, leftOut: ["thinking of earlier answers"] });
        expect(JSON.stringify(encoded)).not.toMatch(/EqQ|gAAA/);
      }
    },
  );

  test("is the same streamed and whole, but for its pieces", () => {
    const last = events.at(-1);
    if (last?.type !== "completed") throw new Error("It did not end.");
    const thoughts = (of: typeof last.response) => of.message.content.filter((block) => block.type === "thinking");
    const text = (of: typeof last.response) =>
      thoughts(of)
        .map((thought) => thought.text)
        .join("");
    expect(text(last.response)).toBe(text(decoded.response));
    expect(thoughts(last.response).at(-1)?.signature).toBe(JSON.stringify(details));
  });
});

test("a thought of which nothing is sealed stays one thought, and unsealed", () => {
  const decoder = router.streamDecoder();
  const streamed = stream(
    { reasoning: "A", reasoning_details: [piece("A")] },
    { content: "So" },
    { tool_calls: [CALL] },
  );
  const last = [...decoder.push(streamed), ...decoder.end()].at(-1);
  expect(last).toMatchObject({
    response: { message: { content: [{ type: "thinking", text: "A" }, { type: "text" }, { type: "tool_use" }] } },
  });
  expect(JSON.stringify(last)).not.toContain("signature");
});
