import type { AssistantContent, LlmRequest, LlmResponse } from "@loom/core";
import { NO_USAGE } from "@loom/core";
import { expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { SealMemory } from "./seal-memory.ts";

const call = (id: string) => ({ type: "tool_use", id, name: "bash", input: {} }) as const;
const thought = (text: string) => ({ type: "thinking", text, signature: `s-${text}`, dialect: "anthropic" }) as const;
const text = (words: string) => ({ type: "text", text: words }) as const;

function answer(...content: AssistantContent[]): LlmResponse {
  return { message: { role: "assistant", content }, stopReason: "tool_use", usage: NO_USAGE, model: "m" };
}

function request(...content: AssistantContent[]): LlmRequest {
  const messages = [
    { role: "user", content: [text("Go.")] },
    { role: "assistant", content },
  ] as const;
  return { model: "m", system: "", messages, tools: [], maxTokens: 9 };
}

function contentOf({ messages }: LlmRequest) {
  return messages[1]?.content;
}

/** An answer as a client of Chat Completions hands it back. */
function throughChat(response: LlmResponse): LlmRequest {
  const [choice] = JSON.parse(JSON.stringify(openAiChat.encodeResponse(response))).choices;
  const results = response.message.content.flatMap((block) =>
    block.type === "tool_use" ? [{ role: "tool", tool_call_id: block.id, content: "ok" }] : [],
  );
  const messages = [{ role: "user", content: "Go." }, choice.message, ...results];
  const decoded = openAiChat.decodeRequest(JSON.stringify({ model: "m", messages }));
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.request;
}

test("what a client cannot carry comes back with the calls that it belongs to", () => {
  const memory = new SealMemory();
  const response = answer(thought("A"), text("Look."), call("a"), thought("B"), { ...call("b"), signature: "Cs0B" });
  memory.remember("me", response.message);
  const restored = memory.restore("me", throughChat(response));
  expect(contentOf(restored)).toEqual(response.message.content);
});

test("a client that carries its thinking is given no more of it", () => {
  const memory = new SealMemory();
  const response = answer(thought("A"), { ...call("a"), signature: "Cs0B" });
  memory.remember("me", response.message);
  const body = { ...anthropicMessages.encodeResponse(response) };
  const messages = [
    { role: "user", content: "Go." },
    { role: "assistant", content: body.content },
  ];
  const decoded = anthropicMessages.decodeRequest(JSON.stringify({ model: "m", max_tokens: 9, messages }));
  if (!decoded.ok) throw new Error(decoded.problem);
  expect(contentOf(memory.restore("me", decoded.request))).toEqual(response.message.content);
});

test("nobody gets the seals of another, and a request without any stays what it is", () => {
  const memory = new SealMemory();
  memory.remember("me", answer({ ...call("a"), signature: "Cs0B" }).message);
  const asked = request(call("a"));
  expect(memory.restore("you", asked)).toBe(asked);
  const plain = request(call("b"), text("x"));
  expect(memory.restore("me", plain)).toBe(plain);
});

test("what was longest unused is forgotten", () => {
  const memory = new SealMemory({ maxCalls: 2 });
  const sealed = (id: string) => answer({ ...call(id), signature: "Cs0B" }).message;
  memory.remember("me", sealed("a"));
  memory.remember("me", sealed("b"));
  memory.restore("me", request(call("a")));
  memory.remember("me", sealed("c"));
  const known = ["a", "b", "c"].filter((id) => isSealed(memory, id));
  expect(known).toEqual(["a", "c"]);
});

function isSealed(memory: SealMemory, id: string, scope = "me"): boolean {
  return JSON.stringify(memory.restore(scope, request(call(id)))).includes("Cs0B");
}

test("who remembers much pushes out nobody's but their own", () => {
  const memory = new SealMemory({ maxCalls: 10 });
  const sealed = (id: string) => answer({ ...call(id), signature: "Cs0B" }).message;
  memory.remember("quiet", sealed("a"));
  for (let round = 0; round < 100; round += 1) memory.remember("busy", sealed(`call-${round}`));
  expect(isSealed(memory, "a", "quiet")).toBe(true);
  expect(isSealed(memory, "call-99", "busy")).toBe(true);
  expect(isSealed(memory, "call-90", "busy")).toBe(false);
});

test("no more is remembered than there is room for", () => {
  const memory = new SealMemory({ maxSize: 100 });
  memory.remember("me", answer(thought("x".repeat(200)), call("huge")).message);
  expect(contentOf(memory.restore("me", request(call("huge"))))).toEqual([call("huge")]);
  memory.remember("me", answer(thought("x".repeat(20)), call("a")).message);
  memory.remember("me", answer(thought("y".repeat(20)), call("b")).message);
  memory.remember("me", answer(thought("z".repeat(20)), call("c")).message);
  expect(contentOf(memory.restore("me", request(call("a"))))).toEqual([call("a")]);
  expect(contentOf(memory.restore("me", request(call("c"))))).toEqual([thought("z".repeat(20)), call("c")]);
});
