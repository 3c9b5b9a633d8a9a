import { type AssistantContent, type JsonObject, type LlmEvent, type LlmResponse, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import type { AnswerIdentity } from "../codec.ts";
import { unwrapSeal } from "../foreign-seal.ts";
import { openAiResponses } from "./codec.ts";

const IDENTITY = { id: "abc", model: "gpt-test", createdMs: 1_700_000_000_123 };

/** The events that go out for these, as the objects they hold. */
function encode(...events: LlmEvent[]): JsonObject[] {
  return encodeFor({}, ...events);
}

function encodeFor(identity: AnswerIdentity, ...events: LlmEvent[]): JsonObject[] {
  const encoder = openAiResponses.streamEncoder({ ...IDENTITY, ...identity });
  const text = events.map((event) => encoder.push([event])).join("");
  return text.split("\n\n").flatMap((event) => {
    if (event === "") return [];
    const [name = "", data = ""] = event.split("\n");
    const body = JSON.parse(data.slice("data: ".length));
    expect(name).toBe(`event: ${body.type}`);
    return [body];
  });
}

/** What each event says, in a line: its type, the item and the text. */
function shape(...events: LlmEvent[]): string[] {
  return encode(...events).map((event) => {
    const item = event.item as JsonObject | undefined;
    const what = [
      event.type,
      event.output_index,
      item?.type,
      event.delta ?? event.text ?? event.arguments ?? event.input,
    ];
    return what.filter((each) => each !== undefined).join(" ");
  });
}

const calling = (callId: string, argumentsFragment: string, name = "bash"): LlmEvent => ({
  type: "tool_call_delta",
  callId,
  name,
  argumentsFragment,
});
const text = (words: string): LlmEvent => ({ type: "text_delta", text: words });
const thinking = (words: string): LlmEvent => ({ type: "thinking_delta", text: words });
const toolUse = (id: string, name = "bash"): AssistantContent => ({ type: "tool_use", id, name, input: { n: 1 } });

function completed(...content: AssistantContent[]): LlmEvent {
  return { type: "completed", response: response(...content) };
}

function response(...content: AssistantContent[]): LlmResponse {
  const stopReason = content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn";
  const usage = { ...NO_USAGE, inputTokens: 20, cacheReadTokens: 100, outputTokens: 30, reasoningTokens: 12 };
  return { message: { role: "assistant", content }, stopReason, usage, model: "gpt-test" };
}

const HEAD = ["response.created", "response.in_progress"];
const message = (index: number, words: string, ...pieces: string[]) => [
  `response.output_item.added ${index} message`,
  `response.content_part.added ${index}`,
  ...(pieces.length === 0 ? [words] : pieces).map((piece) => `response.output_text.delta ${index} ${piece}`),
  `response.output_text.done ${index} ${words}`,
  `response.content_part.done ${index}`,
  `response.output_item.done ${index} message`,
];
const thought = (index: number, words: string) => [
  `response.output_item.added ${index} reasoning`,
  `response.reasoning_summary_part.added ${index}`,
  `response.reasoning_summary_text.delta ${index} ${words}`,
  `response.reasoning_summary_text.done ${index} ${words}`,
  `response.reasoning_summary_part.done ${index}`,
  `response.output_item.done ${index} reasoning`,
];

describe("a stream to a client", () => {
  test("fails where a call that was done turns out not to be whole: more of its arguments came after a text", () => {
    const broken: AssistantContent = {
      type: "tool_use",
      id: "a",
      name: "bash",
      input: {},
      malformedInput: '{"path":"/tmp"}{"b":2}',
    };
    const events = encode(
      calling("a", '{"path":"/tmp"}'),
      text("hm"),
      calling("a", '{"b":2}'),
      completed(broken, { type: "text", text: "hm" }),
    );
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: { error: { message: expect.stringContaining("are not a JSON object") } },
    });
    const early = encode(calling("a", "[1]"), text("hm"), completed({ ...broken, malformedInput: "[1]" }));
    expect(early.at(-1)).toMatchObject({
      type: "response.completed",
      response: { output: [{ arguments: "[1]" }, {}] },
    });
  });

  test("adds, fills and ends one item after the other, and then the response", () => {
    const events = shape(
      thinking("Hm."),
      { type: "thinking_signature", signature: "gAAA", dialect: "responses" },
      text("Look"),
      text("ing."),
      calling("a", ""),
      calling("a", '{"n"'),
      calling("b", "{}"),
      calling("a", ":1}"),
      completed(
        { type: "thinking", text: "Hm.", signature: "gAAA", dialect: "responses" },
        { type: "text", text: "Looking." },
        toolUse("a"),
        { type: "tool_use", id: "b", name: "bash", input: {} },
      ),
      text("too late"),
    );
    expect(events).toEqual([
      ...HEAD,
      ...thought(0, "Hm."),
      ...message(1, "Looking.", "Look", "ing."),
      "response.output_item.added 2 function_call",
      'response.function_call_arguments.delta 2 {"n"',
      "response.output_item.added 3 function_call",
      "response.function_call_arguments.delta 3 {}",
      "response.function_call_arguments.delta 2 :1}",
      'response.function_call_arguments.done 2 {"n":1}',
      "response.output_item.done 2 function_call",
      "response.function_call_arguments.done 3 {}",
      "response.output_item.done 3 function_call",
      "response.completed",
    ]);
  });

  test("holds the whole answer where no deltas came before it", () => {
    const block: AssistantContent = { type: "thinking", text: "Hm.", dialect: "responses" };
    expect(shape(completed(block, { type: "text", text: "Hi" }, toolUse("a")))).toEqual([
      ...HEAD,
      ...thought(0, "Hm."),
      ...message(1, "Hi"),
      "response.output_item.added 2 function_call",
      'response.function_call_arguments.delta 2 {"n":1}',
      'response.function_call_arguments.done 2 {"n":1}',
      "response.output_item.done 2 function_call",
      "response.completed",
    ]);
  });

  test("has in each event what the official client looks for", () => {
    const [created, , itemAdded, partAdded, delta, textDone, partDone, itemDone, end] = encode(
      text("Hi"),
      completed({ type: "text", text: "Hi" }),
    );
    const place = { item_id: "msg_abc_0", output_index: 0, content_index: 0 };
    const part = { type: "output_text", text: "Hi", annotations: [], logprobs: [] };
    const item = { id: "msg_abc_0", type: "message", status: "completed", role: "assistant", content: [part] };
    expect(created).toMatchObject({
      sequence_number: 0,
      response: {
        id: "resp_abc",
        object: "response",
        created_at: 1_700_000_000,
        status: "in_progress",
        output: [],
        error: null,
      },
    });
    expect(itemAdded).toMatchObject({ output_index: 0, item: { ...item, status: "in_progress", content: [] } });
    expect(partAdded).toMatchObject({ ...place, part: { ...part, text: "" } });
    expect(delta).toMatchObject({ ...place, delta: "Hi", logprobs: [] });
    expect(textDone).toMatchObject({ ...place, text: "Hi" });
    expect(partDone).toMatchObject({ ...place, part });
    expect(itemDone).toMatchObject({ output_index: 0, item });
    expect(end).toMatchObject({
      sequence_number: 8,
      response: {
        status: "completed",
        model: "gpt-test",
        output: [item],
        usage: {
          input_tokens: 120,
          input_tokens_details: { cached_tokens: 100 },
          output_tokens: 30,
          output_tokens_details: { reasoning_tokens: 12 },
          total_tokens: 150,
        },
      },
    });
  });

  test("wraps the seals of other providers, which come back to them", () => {
    const events = encode(
      thinking("Hm."),
      { type: "thinking_signature", signature: "EqQ", dialect: "anthropic" },
      completed(
        { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" },
        { ...toolUse("a"), type: "tool_use", id: "a", name: "bash", input: {}, signature: "Cs0B" },
      ),
    );
    const done = events
      .filter(({ type }) => type === "response.output_item.done")
      .map(({ item }) => item as JsonObject);
    expect(done.map(({ type }) => type)).toEqual(["reasoning", "function_call", "reasoning"]);
    expect(
      done.flatMap(({ encrypted_content: seal }) => (seal === undefined ? [] : [unwrapSeal(String(seal))])),
    ).toEqual([
      { kind: "signature", data: "EqQ", dialect: "anthropic" },
      { kind: "call", data: "Cs0B", dialect: "gemini", callId: "a" },
    ]);
  });

  test("has a seal that comes too late in the whole response", () => {
    const block: AssistantContent = { type: "thinking", text: "Hm.", signature: "gAAA", dialect: "responses" };
    const events = encode(thinking("Hm."), text("Hi"), completed(block, { type: "text", text: "Hi" }));
    expect(events.at(-1)).toMatchObject({
      response: { output: [{ type: "reasoning", encrypted_content: "gAAA" }, {}] },
    });
  });

  test("gives tools their namespace back, and text to tools that take text", () => {
    const patch: AssistantContent = {
      type: "tool_use",
      id: "b",
      name: "apply_patch__text",
      input: { input: "*** Begin" },
    };
    const clientTools = new Map([
      ["agents__ns__spawn", { namespace: "agents", name: "spawn", isText: false }],
      ["apply_patch__text", { name: "apply_patch", isText: true }],
    ]);
    const events = encodeFor(
      { clientTools },
      calling("a", "{}", "agents__ns__spawn"),
      calling("b", '{"input":"*** Begin"}', "apply_patch__text"),
      completed({ type: "tool_use", id: "a", name: "agents__ns__spawn", input: {} }, patch),
    );
    const done = events.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item);
    expect(done).toMatchObject([
      { type: "function_call", call_id: "a", namespace: "agents", name: "spawn", arguments: "{}" },
      { type: "custom_tool_call", call_id: "b", name: "apply_patch", input: "*** Begin" },
    ]);
    expect(events.map(({ type }) => type)).toContain("response.custom_tool_call_input.done");
  });

  test("has plain functions as they are called, whatever that looks like", () => {
    const events = encode(
      calling("a", '{"url":"http://a"}', "fetch__text"),
      calling("b", "{}", "a__ns__b"),
      completed(
        { type: "tool_use", id: "a", name: "fetch__text", input: { url: "http://a" } },
        { type: "tool_use", id: "b", name: "a__ns__b", input: {} },
      ),
    );
    const done = events.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item);
    expect(done).toEqual([
      expect.objectContaining({ type: "function_call", name: "fetch__text", arguments: '{"url":"http://a"}' }),
      expect.objectContaining({ type: "function_call", name: "a__ns__b", arguments: "{}" }),
    ]);
    expect(done[1]).not.toHaveProperty("namespace");
  });

  test("has what OpenAI's own tools did, and nothing of another dialect", () => {
    const data = { id: "ws_1", type: "web_search_call", status: "completed" };
    const events = encode(
      completed(
        { type: "opaque", dialect: "responses", data },
        { type: "opaque", dialect: "gemini", data: { toolCall: {} } },
      ),
    );
    expect(events.at(-1)).toMatchObject({ response: { output: [data] } });
  });

  test.each([
    ["end_turn", "completed", null],
    ["stop_sequence", "completed", null],
    ["pause_turn", "incomplete", { reason: "pause_turn" }],
    ["max_tokens", "incomplete", { reason: "max_output_tokens" }],
    ["context_window_exceeded", "incomplete", { reason: "max_output_tokens" }],
    ["refusal", "incomplete", { reason: "content_filter" }],
  ] as const)("ends after %s as %s", (stopReason, status, incomplete_details) => {
    const whole = { ...response({ type: "text", text: "Hi" }), stopReason };
    expect(encode({ type: "completed", response: whole }).at(-1)).toMatchObject({
      type: `response.${status}`,
      response: { status, incomplete_details },
    });
    expect(openAiResponses.encodeResponse(whole, IDENTITY)).toMatchObject({ status, incomplete_details });
  });

  test("has the same id for the same answer where nobody names it", () => {
    const start = (words: string) => openAiResponses.streamEncoder().push([text(words)]);
    expect(start("a")).toBe(start("a"));
    expect(start("a").slice(0, 120)).not.toBe(start("b").slice(0, 120));
  });
});

describe("an error", () => {
  test.each<[LlmEvent & { type: "error" }, object]>([
    [
      { type: "error", error: { code: "overloaded", message: "Busy.", retryable: true } },
      { code: "server_error", message: "Busy." },
    ],
    [
      { type: "error", error: { code: "rate_limited", message: "Slow.", retryable: true, retryAfterMs: 1_200 } },
      { code: "rate_limit_exceeded", message: "Slow. Please try again in 2s." },
    ],
    [
      { type: "error", error: { code: "budget_exceeded", message: "Empty.", retryable: false } },
      { code: "insufficient_quota", message: "Empty." },
    ],
    [
      { type: "error", error: { code: "unauthorized", message: "Wrong key.", retryable: false } },
      { code: "invalid_prompt", message: "Wrong key." },
    ],
  ])("ends the stream as a response that failed, also before anything came", (event, error) => {
    expect(encode(event).map(({ type }) => type)).toEqual([...HEAD, "response.failed"]);
    expect(encode(text("Hel"), event).at(-1)).toMatchObject({ response: { status: "failed", error } });
  });
});

test("an answer in one piece", () => {
  const whole = response(
    { type: "thinking", text: "Hm.", signature: "gAAA", dialect: "responses" },
    { type: "text", text: "Look" },
    { type: "text", text: "ing." },
    toolUse("call_a"),
  );
  expect(openAiResponses.encodeResponse(whole, IDENTITY)).toMatchObject({
    id: "resp_abc",
    object: "response",
    created_at: 1_700_000_000,
    status: "completed",
    model: "gpt-test",
    output: [
      {
        id: "rs_abc_0",
        type: "reasoning",
        summary: [{ type: "summary_text", text: "Hm." }],
        encrypted_content: "gAAA",
      },
      { id: "msg_abc_1", type: "message", content: [{ text: "Look" }, { text: "ing." }] },
      {
        id: "fc_abc_2",
        type: "function_call",
        call_id: "call_a",
        name: "bash",
        arguments: '{"n":1}',
        status: "completed",
      },
    ],
    usage: { total_tokens: 150 },
  });
});
