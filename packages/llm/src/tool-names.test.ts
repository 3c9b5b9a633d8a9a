import { type LlmRequest, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";
import { namingBack } from "./tool-names.ts";

const LONG = `mcp__${"server_".repeat(20)}`;
/** Alike as far as any provider reads, a plain one, and one that another one becomes. */
const NAMES = [`${LONG}read`, `${LONG}write`, "srv.get:it/now", "srv_get_it_now", "1st", "bash"];
const CODECS: readonly (readonly [string, LlmCodec, RegExp])[] = [
  ["Anthropic Messages", anthropicMessages, /^[a-zA-Z0-9_-]{1,128}$/],
  ["Chat Completions", openAiChat, /^[a-zA-Z0-9_-]{1,64}$/],
  ["Responses", openAiResponses, /^[a-zA-Z0-9_-]{1,64}$/],
  ["Gemini", gemini, /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/],
];

function asking(names: readonly string[], chosen: string): LlmRequest {
  return {
    model: "m",
    system: "",
    tools: names.map((name) => ({ name, description: "", inputSchema: { type: "object" } })),
    toolChoice: { type: "tool", name: chosen },
    messages: [
      { role: "user", content: [{ type: "text", text: "Go." }] },
      {
        role: "assistant",
        content: names.map((name, index) => ({ type: "tool_use", id: `call_${index}`, name, input: {} })),
      },
      {
        role: "user",
        content: names.map((_, index) => ({
          type: "tool_result",
          toolCallId: `call_${index}`,
          content: [],
          isError: false,
        })),
      },
    ],
    maxTokens: 100,
  };
}

/** The names as a server finds them, which is what clients of the same dialect write. */
function arrived(codec: LlmCodec, request: LlmRequest) {
  const encoded = codec.encodeRequest(request, { stream: false });
  if (!encoded.ok) throw new Error(encoded.problem);
  const read = codec.decodeRequest(JSON.stringify(encoded.body));
  if (!read.ok) throw new Error(read.problem);
  const { tools, toolChoice, messages } = read.request;
  const calls = messages.flatMap(({ content }) => content.flatMap((block) => (block.type === "tool_use" ? block : [])));
  return {
    toolNames: encoded.toolNames,
    defined: tools.map(({ name }) => name),
    chosen: toolChoice?.type === "tool" ? toolChoice.name : undefined,
    called: calls.map(({ name }) => name),
  };
}

describe.each(CODECS)("%s", (_name, codec, rule) => {
  const { toolNames, defined, chosen, called } = arrived(codec, asking(NAMES, `${LONG}write`));

  test("gets names that it takes, each its own, and the same in definitions, choice and history", () => {
    for (const name of defined) expect(name).toMatch(rule);
    expect(new Set(defined).size).toBe(NAMES.length);
    expect(called).toEqual(defined);
    expect(chosen).toBe(defined[1]);
    expect(defined).toContain("bash");
  });

  test("leads back to the names of the client", () => {
    expect(defined.map((name) => toolNames?.get(name) ?? name)).toEqual(NAMES);
  });

  test("gets the same name in every request", () => {
    const alone = arrived(codec, asking([`${LONG}write`], `${LONG}write`));
    expect(alone.defined).toEqual([defined[1]]);
  });

  test("gets names that it takes as they are", () => {
    const encoded = codec.encodeRequest(asking(["bash"], "bash"), { stream: false });
    expect(encoded).toMatchObject({ ok: true });
    expect(encoded).not.toHaveProperty("toolNames");
  });

  test("answers with them, streamed or not", () => {
    const back = namingBack(codec, toolNames ?? new Map());
    const call = { type: "tool_use" as const, id: "a", name: defined[0] ?? "", input: { a: 1 } };
    const response = {
      message: { role: "assistant" as const, content: [call] },
      stopReason: "tool_use" as const,
      usage: NO_USAGE,
      model: "m",
    };
    const whole = back.decodeResponse(JSON.stringify(codec.encodeResponse(response)));
    expect(whole).toMatchObject({ ok: true, response: { message: { content: [{ name: NAMES[0] }] } } });
    const bytes = new TextEncoder().encode(codec.streamEncoder().push([{ type: "completed", response }]));
    const decoder = back.streamDecoder();
    const events = [...decoder.push(bytes), ...decoder.end()];
    const told = events.flatMap((event) => (event.type === "tool_call_delta" ? event.name : []));
    expect(new Set(told)).toEqual(new Set([NAMES[0]]));
    expect(events.at(-1)).toMatchObject({ response: { message: { content: [{ name: NAMES[0] }] } } });
  });
});
