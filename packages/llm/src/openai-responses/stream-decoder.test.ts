import type { AssistantContent, JsonObject } from "@loom/core";
import { describe, expect, test } from "vitest";
import { added, answerOf, CREATED, call, decode, done, end, message, part, wire } from "./responses.testing.ts";

function contentOf(...pieces: readonly string[]): readonly AssistantContent[] {
  return answerOf(CREATED, ...pieces, end("completed")).message.content;
}

const REASONING = { id: "rs_1", type: "reasoning", summary: [] };

function reasoning(index: number, seal: string, ...summaries: readonly string[]): string {
  return [
    added(index, { ...REASONING, encrypted_content: "early" }),
    ...summaries.map((text, nth) =>
      part("reasoning_summary_text.delta", index, { delta: text, summary_index: nth, content_index: null }),
    ),
    done(index, {
      ...REASONING,
      summary: summaries.map((text) => ({ type: "summary_text", text })),
      encrypted_content: seal,
    }),
  ].join("");
}

describe("a stream of OpenAI", () => {
  test("gives thoughts with their seals, texts, calls and token counts", () => {
    const usage = {
      input_tokens: 120,
      input_tokens_details: { cached_tokens: 100 },
      output_tokens: 30,
      output_tokens_details: { reasoning_tokens: 12 },
      total_tokens: 150,
    };
    const events = decode(
      CREATED,
      reasoning(0, "gAAA", "First.", "Second."),
      message(1, "Look", "ing."),
      call(2, "call_1", '{"command"', ':"ls"}'),
      end("completed", { usage }),
    );
    expect(events).toEqual([
      { type: "thinking_delta", text: "First." },
      { type: "thinking_delta", text: "\n\nSecond." },
      { type: "thinking_signature", signature: "gAAA", dialect: "responses" },
      { type: "text_delta", text: "Look" },
      { type: "text_delta", text: "ing." },
      { type: "tool_call_delta", callId: "call_1", name: "bash", argumentsFragment: "" },
      { type: "tool_call_delta", callId: "call_1", name: "bash", argumentsFragment: '{"command"' },
      { type: "tool_call_delta", callId: "call_1", name: "bash", argumentsFragment: ':"ls"}' },
      {
        type: "completed",
        response: {
          message: {
            role: "assistant",
            content: [
              { type: "thinking", text: "First.\n\nSecond.", signature: "gAAA", dialect: "responses" },
              { type: "text", text: "Looking." },
              { type: "tool_use", id: "call_1", name: "bash", input: { command: "ls" } },
            ],
          },
          stopReason: "tool_use",
          usage: {
            inputTokens: 20,
            outputTokens: 30,
            cacheReadTokens: 100,
            cacheWriteTokens: 0,
            cacheWriteLongTokens: 0,
            reasoningTokens: 12,
          },
          model: "gpt-test",
        },
      },
    ]);
  });

  test.each<[string, JsonObject, string]>([
    ["was cut", { incomplete_details: { reason: "max_output_tokens" } }, "max_tokens"],
    ["was withheld", { incomplete_details: { reason: "content_filter" } }, "refusal"],
    ["ended for a reason nobody knows", { incomplete_details: { reason: "sunset" } }, "unknown"],
  ])("says that the answer %s", (_name, fields, stopReason) => {
    expect(answerOf(CREATED, message(0, "Hi"), end("incomplete", fields)).stopReason).toBe(stopReason);
  });

  test("gives a refusal as what the model said", () => {
    const refused = [part("refusal.delta", 0, { delta: "No" }), part("refusal.done", 0, { refusal: "No." })].join("");
    const answer = answerOf(CREATED, refused, end("completed"));
    expect(answer).toMatchObject({ stopReason: "refusal", message: { content: [{ type: "text", text: "No." }] } });
  });

  test("keeps what OpenAI's own tools did, and asks the client where it has to answer", () => {
    const search = { type: "web_search_call", id: "ws_1", status: "completed" };
    expect(contentOf(done(0, search))).toEqual([{ type: "opaque", dialect: "responses", data: search }]);
    expect(answerOf(CREATED, done(0, search), end("completed")).stopReason).toBe("end_turn");
    const shell = { type: "local_shell_call", call_id: "x", action: {} };
    expect(answerOf(CREATED, done(0, shell), end("completed")).stopReason).toBe("tool_use");
  });

  test("has calls of tools that take text, and of tools in namespaces", () => {
    const custom = { type: "custom_tool_call", call_id: "a", name: "apply_patch" };
    const events = decode(
      CREATED,
      added(0, { ...custom, input: "" }),
      part("custom_tool_call_input.delta", 0, { delta: "*** Be" }),
      part("custom_tool_call_input.done", 0, { input: "*** Begin" }),
      done(0, { ...custom, input: "*** Begin" }),
      done(1, { type: "function_call", call_id: "b", namespace: "agents", name: "spawn", arguments: "{}" }),
      end("completed"),
    );
    const told = events.flatMap((event) => (event.type === "tool_call_delta" ? [event.argumentsFragment] : []));
    expect(told).toEqual(["", '{"input":"*** Begin"}', "", "{}"]);
    expect(events.at(-1)).toMatchObject({
      response: {
        message: {
          content: [
            { type: "tool_use", id: "a", name: "apply_patch__text", input: { input: "*** Begin" } },
            { type: "tool_use", id: "b", name: "agents__ns__spawn", input: {} },
          ],
        },
      },
    });
  });
});

describe("a server that does it its own way", () => {
  const whole = [
    { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
    { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] },
    { type: "function_call", id: "fc_1", call_id: "a", name: "bash", arguments: "{}" },
  ];
  const content: AssistantContent[] = [
    { type: "thinking", text: "Hm.", dialect: "responses" },
    { type: "text", text: "Hi" },
    { type: "tool_use", id: "a", name: "bash", input: {} },
  ];

  test("may give the response at the end and nothing before", () => {
    const events = decode(CREATED, end("completed", { output: whole }));
    expect(events.slice(0, -1)).toEqual([
      { type: "thinking_delta", text: "Hm." },
      { type: "text_delta", text: "Hi" },
      { type: "tool_call_delta", callId: "a", name: "bash", argumentsFragment: "" },
      { type: "tool_call_delta", callId: "a", name: "bash", argumentsFragment: "{}" },
    ]);
    expect(events.at(-1)).toMatchObject({ response: { message: { content } } });
  });

  test("may give items when they are done and nothing else", () => {
    expect(contentOf(...whole.map((item, index) => done(index, item)))).toEqual(content);
  });

  test("may leave out `added`, and give parts only when they are done", () => {
    expect(contentOf(part("output_text.done", 0, { text: "Hi" }))).toEqual([{ type: "text", text: "Hi" }]);
  });

  test("may change the ids of items from event to event", () => {
    const item = { type: "message", role: "assistant" };
    const pieces = [
      added(0, { ...item, id: "x1", content: [] }),
      wire({ type: "response.output_text.delta", item_id: "x2", output_index: 0, content_index: 0, delta: "Hi" }),
      done(0, { ...item, id: "x3", content: [{ type: "output_text", text: "Hi" }] }),
    ];
    expect(contentOf(...pieces)).toEqual([{ type: "text", text: "Hi" }]);
  });

  test("may give the seal of a thought at the end only", () => {
    const output = [{ ...REASONING, encrypted_content: "gAAA" }, whole[1] ?? {}];
    const pieces = [added(0, REASONING), done(0, REASONING), message(1, "Hi")];
    expect(answerOf(CREATED, ...pieces, end("completed", { output })).message.content).toEqual([
      { type: "thinking", text: "", signature: "gAAA", dialect: "responses" },
      { type: "text", text: "Hi" },
    ]);
  });

  test("may end with [DONE] instead of a response, but not with nothing", () => {
    expect(answerOf(CREATED, message(0, "Hi"), "data: [DONE]\n\n").message.content).toEqual([
      { type: "text", text: "Hi" },
    ]);
    expect(decode(CREATED, message(0, "Hi")).at(-1)).toMatchObject({ error: { code: "network", retryable: true } });
  });

  test("may answer without streaming", () => {
    const body = JSON.stringify({ id: "resp_1", object: "response", status: "completed", model: "m", output: whole });
    expect(decode(body).at(-1)).toMatchObject({ type: "completed", response: { message: { content } } });
  });

  test("may give one id to several calls, or none", () => {
    const answer = answerOf(
      CREATED,
      done(0, { type: "function_call", call_id: "a", name: "f", arguments: "{}" }),
      done(1, { type: "function_call", call_id: "a", name: "g", arguments: "{}" }),
      done(2, { type: "function_call", name: "h", arguments: "{}" }),
      end("completed"),
    );
    expect(answer.message.content).toMatchObject([
      { id: "a" },
      { id: "a_2" },
      { id: expect.stringMatching(/^call_\w+_2$/) },
    ]);
  });

  test("may send events that nobody knows", () => {
    const strange = [
      wire({ type: "response.mind_reading.delta", delta: "?" }),
      "event: keepalive\ndata: \n\n",
      ": ping\n\n",
    ];
    expect(contentOf(...strange, message(0, "Hi"))).toEqual([{ type: "text", text: "Hi" }]);
  });
});

describe("a stream that fails", () => {
  test.each<[string, string, object]>([
    [
      "because the response did",
      end("failed", { error: { code: "server_error", message: "Oops." } }),
      { code: "overloaded", retryable: true },
    ],
    [
      "for too many requests, with the wait in the words",
      end("failed", { error: { code: "rate_limit_exceeded", message: "Please try again in 1.5s." } }),
      { code: "rate_limited", retryable: true, retryAfterMs: 1_500 },
    ],
    [
      "for a bad prompt",
      end("failed", { error: { code: "invalid_prompt", message: "No." } }),
      { code: "invalid_request", retryable: false },
    ],
    [
      "for an image",
      end("failed", { error: { code: "invalid_image_url", message: "No." } }),
      { code: "invalid_request", retryable: false },
    ],
    ["for nothing it says", end("failed"), { code: "overloaded", retryable: true }],
    ["with an event", wire({ type: "error", code: "slow_down", message: "Busy." }), { code: "overloaded" }],
    [
      "with an event around an error",
      wire({
        type: "error",
        error: { type: "invalid_request_error", code: "context_length_exceeded", message: "Long." },
      }),
      { code: "invalid_request", retryable: false },
    ],
    [
      "with an error and no more",
      'data: {"error":{"message":"No credit.","code":"insufficient_quota"}}\n\n',
      { code: "budget_exceeded", retryable: false },
    ],
    ["with garbage", "data: {broken\n\n", { code: "invalid_response", retryable: true }],
  ])("%s", (_name, text, error) => {
    expect(decode(CREATED, message(0, "Hi"), text).at(-1)).toMatchObject({ type: "error", error });
  });

  test("without having begun, says what came instead", () => {
    expect(decode('{"error":{"message":"Wrong key.","code":"invalid_api_key"}}')).toMatchObject([
      { error: { code: "unauthorized", message: expect.stringContaining("Wrong key.") } },
    ]);
    expect(decode("")).toMatchObject([{ error: { code: "network" } }]);
    expect(decode("<html>502</html>")).toMatchObject([{ error: { code: "invalid_response" } }]);
  });
});

test("a response that is still being thought about is no answer", () => {
  expect(decode(JSON.stringify({ object: "response", status: "queued", output: [] }))).toMatchObject([
    { error: { code: "invalid_response" } },
  ]);
});
