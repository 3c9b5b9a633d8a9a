import type { LlmRequest, Message } from "@loom/core";
import { expect, test } from "vitest";
import { anthropicMessages, gemini, type LlmCodec, openAiChat, openAiResponses } from "./index.ts";

const user: Message = { role: "user", content: [{ type: "text", text: "A list, as JSON." }] };
const begun: Message = { role: "assistant", content: [{ type: "text", text: "[" }] };

function encoded(codec: LlmCodec, model: string, ...messages: Message[]) {
  const request: LlmRequest = { model, system: "", messages, tools: [], maxTokens: 100 };
  return codec.encodeRequest(request, { stream: false });
}

test.each(["claude-sonnet-4-5", "claude-3-haiku", "glm-5.3"])("%s goes on with an answer that has begun", (model) => {
  expect(encoded(anthropicMessages, model, user, begun)).toMatchObject({
    ok: true,
    body: { messages: [{}, { role: "assistant", content: [{ text: "[" }] }] },
  });
});

test.each(["claude-opus-4-6", "anthropic/claude-sonnet-4.6", "claude-opus-5", "claude-mythos-preview"])(
  "%s does not, and is not asked to",
  (model) => {
    expect(encoded(anthropicMessages, model, user, begun)).toEqual({
      ok: false,
      problem: `messages.1 is the beginning of an answer, and ${model} does not go on with one: end with what the user says.`,
    });
    expect(encoded(anthropicMessages, model, user, begun, user)).not.toHaveProperty("leftOut");
    const paused: Message = {
      role: "assistant",
      content: [
        { type: "text", text: "Searching." },
        { type: "opaque", dialect: "anthropic", data: { type: "server_tool_use", id: "s", name: "x", input: {} } },
      ],
    };
    expect(encoded(anthropicMessages, model, user, paused)).toMatchObject({ ok: true });
  },
);

test.each([
  ["Chat Completions", openAiChat, "gpt-5.2"],
  ["Responses", openAiResponses, "gpt-5.2"],
  ["Gemini", gemini, "gemini-2.5-pro"],
])("%s begins another answer, and that is said", (_name, codec, model) => {
  expect(encoded(codec, model, user, begun)).toMatchObject({ ok: true, leftOut: ["beginning of the answer"] });
  expect(encoded(codec, model, user, begun, user)).not.toHaveProperty("leftOut");
});
