import type { LlmEvent, LlmResponse } from "@loom/core";
import { NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChatCodec } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";

const ANSWER: LlmResponse = {
  message: {
    role: "assistant",
    content: [
      { type: "thinking", text: "Hm." },
      { type: "text", text: "Hello" },
    ],
  },
  stopReason: "end_turn",
  usage: NO_USAGE,
  model: "m",
};
const EVENTS: readonly LlmEvent[] = [
  { type: "thinking_delta", text: "Hm." },
  { type: "text_delta", text: "Hello" },
  { type: "completed", response: ANSWER },
];
const ASKED = "Hi";
const showsItsThoughts = openAiChatCodec({ thinkingField: "reasoning_content" });

/** How a client of each dialect asks on, with the answer in its history as it got it. */
const CLIENTS = {
  anthropic: {
    codec: anthropicMessages,
    kept: (text: string) => {
      const [thinking, signature] = [/"thinking":"([^"]+)"/, /"signature":"([^"]+)"/].map((it) => it.exec(text)?.[1]);
      return [
        { type: "thinking", thinking, signature },
        { type: "text", text: "Hello" },
      ];
    },
    body: (content: unknown) => ({
      model: "m",
      max_tokens: 10,
      messages: [
        { role: "user", content: ASKED },
        { role: "assistant", content },
        { role: "user", content: ASKED },
      ],
    }),
  },
  responses: {
    codec: openAiResponses,
    kept: (text: string) => {
      const seal = /"encrypted_content":"([^"]+)"/.exec(text)?.[1];
      const summary = [{ type: "summary_text", text: "Hm." }];
      return [
        { type: "reasoning", summary, encrypted_content: seal },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hello" }] },
      ];
    },
    body: (items: readonly object[]) => ({
      model: "m",
      input: [{ role: "user", content: ASKED }, ...items, { role: "user", content: ASKED }],
    }),
  },
  gemini: {
    codec: gemini,
    kept: (text: string) => {
      const thoughtSignature = /"thoughtSignature":"([^"]+)"/.exec(text)?.[1];
      return [{ text: "Hm.", thought: true, thoughtSignature }, { text: "Hello" }];
    },
    body: (parts: readonly object[]) => ({
      contents: [
        { role: "user", parts: [{ text: ASKED }] },
        { role: "model", parts },
        { role: "user", parts: [{ text: ASKED }] },
      ],
    }),
  },
};

describe.each([CLIENTS.anthropic, CLIENTS.responses, CLIENTS.gemini])("a thought without a seal", (client) => {
  const { codec, kept, body } = client;
  const identity = { id: "1", model: "m", origin: "chat" };
  const streamed = codec.streamEncoder(identity).push(EVENTS);
  const whole = JSON.stringify(codec.encodeResponse(ANSWER, identity));

  test.each([streamed, whole])("comes back to the provider that thought it, and to no other", (text) => {
    const decoded = codec.decodeRequest(JSON.stringify(body(kept(text))));
    if (!decoded.ok) throw new Error(decoded.problem);
    const thoughts = decoded.request.messages[1]?.content.filter(({ type }) => type === "thinking");
    expect(thoughts).toEqual([{ type: "thinking", text: "Hm.", dialect: "chat" }]);
    const back = showsItsThoughts.encodeRequest(decoded.request, { stream: false });
    expect(back).not.toHaveProperty("leftOut");
    expect(JSON.stringify(back)).toContain('"reasoning_content":"Hm."');
    for (const other of [anthropicMessages, openAiResponses, gemini]) {
      const encoded = other.encodeRequest(decoded.request, { stream: false });
      expect(encoded).toMatchObject({ ok: true, leftOut: ["thinking of earlier answers"] });
      expect(JSON.stringify(encoded)).not.toContain("Hm.");
    }
  });

  test("has no mark where the client's own dialect thought it", () => {
    const { origin: _, ...own } = identity;
    const dialect = codec === anthropicMessages ? "anthropic" : codec === gemini ? "gemini" : "responses";
    const written = codec.streamEncoder({ ...own, origin: dialect }).push(EVENTS);
    expect(written).toBe(codec.streamEncoder(own).push(EVENTS));
  });
});

test("what Gemini thought in the open goes to no server of Chat Completions", () => {
  const messages = [
    { role: "user", content: [{ type: "text", text: ASKED }] },
    {
      role: "assistant",
      content: [
        { type: "thinking", text: "Hm.", dialect: "gemini" },
        { type: "text", text: "A" },
      ],
    },
    { role: "user", content: [{ type: "text", text: ASKED }] },
  ] as const;
  const request = { model: "m", system: "", messages, tools: [], maxTokens: 10 };
  const encoded = showsItsThoughts.encodeRequest(request, { stream: false });
  expect(encoded).toMatchObject({
    ok: true,
    leftOut: ["thinking of earlier answers"],
    body: { messages: [{ role: "user" }, { role: "assistant", content: "A" }, { role: "user" }] },
  });
  expect(JSON.stringify(encoded)).not.toContain("Hm.");
});
