import type { JsonValue, LlmRequest, Message, ThinkingBlock } from "@loom/core";
import { describe, expect, test } from "vitest";
import { asArray } from "../json-reader.ts";
import { bodyOf } from "../wire.testing.ts";
import { anthropicMessages } from "./codec.ts";

const BARE: LlmRequest = { model: "claude-sonnet-4-5", system: "", messages: [], tools: [], maxTokens: 100 };
const CACHED = { cache_control: { type: "ephemeral" } };

function encode(request: Partial<LlmRequest>) {
  return bodyOf(anthropicMessages.encodeRequest({ ...BARE, ...request }, { stream: true }));
}

function messages(...given: Message[]): readonly JsonValue[] {
  return asArray(encode({ messages: given }).messages);
}

const user = (text: string): Message => ({ role: "user", content: [{ type: "text", text }] });
const assistant = (text: string): Message => ({ role: "assistant", content: [{ type: "text", text }] });
const result = (toolCallId: string, text = "ok", isError = false): Message => ({
  role: "user",
  content: [{ type: "tool_result", toolCallId, content: [{ type: "text", text }], isError }],
});

describe("a request", () => {
  test("has the provider's names for everything", () => {
    const tools = [{ name: "bash", description: "Runs.", inputSchema: { type: "object" } }];
    expect(encode({ system: "Be brief.", messages: [user("Hi")], tools, temperature: 0.5 })).toEqual({
      model: "claude-sonnet-4-5",
      max_tokens: 100,
      system: [{ type: "text", text: "Be brief.", ...CACHED }],
      tools: [{ name: "bash", description: "Runs.", input_schema: { type: "object" } }],
      messages: [{ role: "user", content: [{ type: "text", text: "Hi", ...CACHED }] }],
      temperature: 0.5,
      stream: true,
    });
  });

  test("leaves out what is not set", () => {
    const body = bodyOf(anthropicMessages.encodeRequest({ ...BARE, messages: [user("Hi")] }, { stream: false }));
    expect(Object.keys(body)).toEqual(["model", "max_tokens", "messages"]);
  });

  test("asks for no temperature that the provider refuses", () => {
    expect(encode({ temperature: 1.7 }).temperature).toBe(1);
  });
});

describe("a conversation", () => {
  test("goes back with sealed and redacted thinking, calls, results and images", () => {
    const body = messages(
      user("Look."),
      {
        role: "assistant",
        content: [
          { type: "thinking", text: "Hm.", signature: "EqQ" },
          { type: "thinking", text: "", redactedData: "Emw" },
          { type: "text", text: "Looking." },
          { type: "tool_use", id: "toolu_1", name: "bash", input: { a: 1 } },
        ],
      },
      {
        role: "user",
        content: [
          {
            type: "tool_result",
            toolCallId: "toolu_1",
            content: [
              { type: "text", text: "Seen." },
              { type: "image", mediaType: "image/png", data: "iVBO" },
            ],
            isError: true,
          },
        ],
      },
    );
    expect(body).toEqual([
      { role: "user", content: [{ type: "text", text: "Look.", ...CACHED }] },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm.", signature: "EqQ" },
          { type: "redacted_thinking", data: "Emw" },
          { type: "text", text: "Looking." },
          { type: "tool_use", id: "toolu_1", name: "bash", input: { a: 1 } },
        ],
      },
      {
        role: "user",
        content: [
          {
            type: "tool_result",
            tool_use_id: "toolu_1",
            content: [
              { type: "text", text: "Seen." },
              { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBO" } },
            ],
            is_error: true,
            ...CACHED,
          },
        ],
      },
    ]);
  });

  test("loses what the provider would refuse: blank text, empty messages", () => {
    const blank: Message = { role: "assistant", content: [{ type: "thinking", text: " " }] };
    expect(messages(user("a"), blank, user(" \n"), user("b"))).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b", ...CACHED },
        ],
      },
    ]);
  });

  test("merges neighbours of one role, with tool results before everything else", () => {
    expect(messages(user("more"), result("a"), user("!"), result("b"))).toMatchObject([
      { role: "user", content: [{ tool_use_id: "a" }, { tool_use_id: "b" }, { text: "more" }, { text: "!" }] },
    ]);
  });

  test("gives an empty result no content, and an empty error a reason", () => {
    expect(messages(result("a", ""))).toEqual([
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a", ...CACHED }] },
    ]);
    expect(messages(result("a", "", true))).toMatchObject([
      { content: [{ is_error: true, content: [{ text: expect.stringContaining("gave no reason") }] }] },
    ]);
  });

  test("renames ids that the provider refuses, the same in call and result, different for different ids", () => {
    const call = (id: string): Message => ({
      role: "assistant",
      content: [{ type: "tool_use", id, name: "bash", input: {} }],
    });
    const ids = ["functions.bash:0", "functions.bash.0", "ok_1"];
    const body = JSON.stringify(messages(user("a"), ...ids.flatMap((id) => [call(id), result(id)])));
    const called = Array.from(body.matchAll(/"id":"([^"]*)"/g), (match) => match[1]);
    const answered = Array.from(body.matchAll(/"tool_use_id":"([^"]*)"/g), (match) => match[1]);
    expect(called).toEqual(answered);
    expect(new Set(called).size).toBe(3);
    expect(called[2]).toBe("ok_1");
    for (const id of called) expect(id).toMatch(/^[a-zA-Z0-9_-]+$/);
  });
});

describe("thinking of earlier answers", () => {
  const thought = (block: Omit<ThinkingBlock, "type">) =>
    messages(user("a"), { role: "assistant", content: [{ type: "thinking", ...block }] })[1];

  test("goes back sealed to the provider that sealed it", () => {
    expect(thought({ text: "Hm.", signature: "EqQ", dialect: "anthropic" })).toMatchObject({
      content: [{ type: "thinking", thinking: "Hm.", signature: "EqQ" }],
    });
  });

  test.each([
    ["without a seal", {}],
    ["with the seal of another", { signature: "gAAA", dialect: "responses" }],
    ["with the ciphertext of another", { redactedData: "gAAA", dialect: "responses" }],
  ])("%s is left out, and that is said", (_name, seal) => {
    expect(thought({ text: "Hm.", ...seal })).toBeUndefined();
    const block = { type: "thinking", text: "Hm.", ...seal } as const;
    const conversation: Message[] = [user("a"), { role: "assistant", content: [block] }, user("b")];
    const encoded = anthropicMessages.encodeRequest({ ...BARE, messages: conversation }, { stream: false });
    expect(encoded).toMatchObject({ ok: true, leftOut: ["thinking of earlier answers"] });
  });
});

describe("prompt caching", () => {
  const markers = (request: Partial<LlmRequest>) => JSON.stringify(encode(request)).split("cache_control").length - 1;

  test("marks the end of the system prompt, and of the newest two user messages", () => {
    const long = Array.from({ length: 9 }, () => [user("q"), assistant("a")]).flat();
    expect(markers({ system: "s", messages: [...long, user("q")] })).toBe(3);
    expect(
      JSON.stringify(messages(...long, user("last"))).match(/"q","cache_control"|"last","cache_control"/g),
    ).toHaveLength(2);
  });

  test("marks the end of the tools where there is no system prompt", () => {
    const tools = ["a", "b"].map((name) => ({ name, description: "", inputSchema: { type: "object" } }));
    expect(encode({ tools }).tools).toEqual([
      { name: "a", input_schema: { type: "object" } },
      { name: "b", input_schema: { type: "object" }, ...CACHED },
    ]);
  });

  test("is left to a client that marks places of its own", () => {
    const marked: Message = { role: "user", content: [{ type: "text", text: "Long.", cache: "1h" }] };
    const body = encode({ system: "s", messages: [marked, assistant("b"), user("c")] });
    expect(body).toMatchObject({
      system: [{ type: "text", text: "s" }],
      messages: [{ content: [{ cache_control: { type: "ephemeral", ttl: "1h" } }] }, {}, {}],
    });
    expect(JSON.stringify(body).split("cache_control")).toHaveLength(2);
  });

  test("never gives up the start of a request that goes on: all but the markers stays the same", () => {
    const plain = (body: unknown) => JSON.stringify(body).replaceAll(',"cache_control":{"type":"ephemeral"}', "");
    const first = [user("a"), assistant("b"), result("x.y")];
    const next = plain(messages(...first, assistant("c"), user("d")));
    expect(next.startsWith(plain(messages(...first)).slice(0, -1))).toBe(true);
  });
});
