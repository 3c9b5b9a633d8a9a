import { type LlmEvent, type LlmResponse, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { openAiChat } from "./codec.ts";

const IDENTITY = { id: "abc", model: "gpt-test", createdMs: 1_700_000_000_123 };
const ENVELOPE = { id: "chatcmpl-abc", created: 1_700_000_000, model: "gpt-test", object: "chat.completion.chunk" };

const RESPONSE: LlmResponse = {
  message: {
    role: "assistant",
    content: [
      { type: "thinking", text: "Hm." },
      { type: "text", text: "Looking." },
      { type: "tool_use", id: "call_a", name: "search", input: { query: "x" } },
      { type: "tool_use", id: "call_b", name: "list", input: {} },
    ],
  },
  stopReason: "tool_use",
  usage: { ...NO_USAGE, inputTokens: 20, cacheReadTokens: 100, outputTokens: 30, reasoningTokens: 12 },
  model: "gpt-test",
};

const USAGE = {
  prompt_tokens: 120,
  completion_tokens: 30,
  total_tokens: 150,
  prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 12 },
};

/** The data of each event that goes out for these batches. */
function encode(...batches: LlmEvent[][]): unknown[] {
  const encoder = openAiChat.streamEncoder(IDENTITY);
  const text = batches.map((batch) => encoder.push(batch)).join("");
  return text.split("\n\n").flatMap((event) => {
    if (event === "") return [];
    expect(event).toMatch(/^data: [^\n]+$/);
    const data = event.slice("data: ".length);
    return [data === "[DONE]" ? data : JSON.parse(data)];
  });
}

const delta = (fields: object) => ({
  ...ENVELOPE,
  choices: [{ index: 0, delta: fields, logprobs: null, finish_reason: null }],
});
const END = [
  { ...ENVELOPE, choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "tool_calls" }] },
  { ...ENVELOPE, choices: [], usage: USAGE },
  "[DONE]",
];
const ROLE = delta({ role: "assistant", content: "" });

describe("a stream to a foreign client", () => {
  test("has the role first and once, deltas as they come, the reason, the token counts and [DONE]", () => {
    const calling = (callId: string, name: string, argumentsFragment: string): LlmEvent => ({
      type: "tool_call_delta",
      callId,
      name,
      argumentsFragment,
    });
    const chunks = encode(
      [{ type: "thinking_delta", text: "Hm." }],
      [
        { type: "text_delta", text: "Look" },
        { type: "text_delta", text: "ing." },
      ],
      [calling("call_a", "search", ""), calling("call_a", "search", '{"query"'), calling("call_b", "list", "")],
      [calling("call_a", "search", ':"x"}')],
      [{ type: "completed", response: RESPONSE }],
      [{ type: "text_delta", text: "too late" }],
    );
    expect(chunks).toEqual([
      ROLE,
      delta({ reasoning_content: "Hm." }),
      delta({ content: "Look" }),
      delta({ content: "ing." }),
      delta({
        tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "search", arguments: "" } }],
      }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"query"' } }] }),
      delta({ tool_calls: [{ index: 1, id: "call_b", type: "function", function: { name: "list", arguments: "" } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: ':"x"}' } }] }),
      delta({ tool_calls: [{ index: 1, function: { arguments: "{}" } }] }),
      ...END,
    ]);
  });

  test("holds the whole answer where no deltas came before it", () => {
    const chunks = encode([{ type: "completed", response: RESPONSE }]);
    const call = (index: number, id: string, name: string, text: string) =>
      delta({ tool_calls: [{ index, id, type: "function", function: { name, arguments: text } }] });
    expect(chunks).toEqual([
      ROLE,
      delta({ reasoning_content: "Hm." }),
      delta({ content: "Looking." }),
      call(0, "call_a", "search", '{"query":"x"}'),
      call(1, "call_b", "list", "{}"),
      ...END,
    ]);
  });

  test("counts its tokens only for a client that wants it", () => {
    const encoder = openAiChat.streamEncoder({ ...IDENTITY, wantsUsage: false });
    const text = encoder.push([{ type: "completed", response: RESPONSE }]);
    expect(text).not.toContain("usage");
    expect(text).toMatch(/"finish_reason":"tool_calls"[^\n]*\n\ndata: \[DONE\]\n\n$/);
  });

  test("says nothing of seals", () => {
    const events: LlmEvent[] = [
      { type: "thinking_delta", text: "Hm." },
      { type: "thinking_signature", signature: "EqQ", dialect: "anthropic" },
    ];
    expect(JSON.stringify(encode(events))).not.toContain("EqQ");
  });

  test("ends an error without [DONE]", () => {
    const error = { code: "overloaded", message: "The provider is overloaded.", retryable: true } as const;
    expect(
      encode([
        { type: "text_delta", text: "Hel" },
        { type: "error", error },
      ]),
    ).toEqual([
      ROLE,
      delta({ content: "Hel" }),
      { error: { message: error.message, type: "server_error", param: null, code: "overloaded_error" } },
    ]);
  });

  test("has the same id for the same answer where nobody names it", () => {
    const encode = (text: string) => openAiChat.streamEncoder().push([{ type: "text_delta", text }]);
    expect(encode("a")).toBe(encode("a"));
    expect(encode("a").slice(0, 40)).not.toBe(encode("b").slice(0, 40));
  });
});

test("an answer in one piece", () => {
  expect(openAiChat.encodeResponse(RESPONSE, IDENTITY)).toEqual({
    id: "chatcmpl-abc",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "gpt-test",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "Looking.",
          refusal: null,
          reasoning_content: "Hm.",
          tool_calls: [
            { id: "call_a", type: "function", function: { name: "search", arguments: '{"query":"x"}' } },
            { id: "call_b", type: "function", function: { name: "list", arguments: "{}" } },
          ],
        },
        logprobs: null,
        finish_reason: "tool_calls",
      },
    ],
    usage: USAGE,
  });
});

test.each([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["pause_turn", "length"],
  ["unknown", "stop"],
  ["max_tokens", "length"],
  ["context_window_exceeded", "length"],
  ["refusal", "content_filter"],
] as const)("the stop reason %s goes out as %s", (stopReason, finish_reason) => {
  const response = { ...RESPONSE, message: { role: "assistant", content: [] }, stopReason } as const;
  expect(openAiChat.encodeResponse(response, IDENTITY)).toMatchObject({
    choices: [{ message: { content: null }, finish_reason }],
  });
});
