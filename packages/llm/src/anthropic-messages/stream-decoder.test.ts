import type { LlmEvent } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf, splits } from "../wire.testing.ts";
import { anthropicMessages } from "./codec.ts";
import {
  answerOf,
  contentOf,
  decode,
  delta,
  open,
  reason,
  STOP,
  start,
  stop,
  text,
  tool,
  wire,
} from "./messages.testing.ts";

const WHOLE = start() + text(0, "Hello", ", world") + reason("end_turn") + STOP;

const HELLO: LlmEvent[] = [
  { type: "text_delta", text: "Hello" },
  { type: "text_delta", text: ", world" },
  {
    type: "completed",
    response: {
      message: { role: "assistant", content: [{ type: "text", text: "Hello, world" }] },
      stopReason: "end_turn",
      usage: {
        inputTokens: 10,
        outputTokens: 7,
        cacheReadTokens: 0,
        cacheWriteTokens: 0,
        cacheWriteLongTokens: 0,
        reasoningTokens: 0,
      },
      model: "claude-test",
    },
  },
];

describe("a streamed answer", () => {
  test("gives its text as it comes, then the whole with its token counts", () => {
    expect(decode(WHOLE)).toEqual(HELLO);
  });

  test("is complete at message_stop, and nothing after it counts", () => {
    const decoder = anthropicMessages.streamDecoder();
    expect(decoder.push(bytesOf(WHOLE)).at(-1)?.type).toBe("completed");
    expect(decoder.push(bytesOf(WHOLE))).toEqual([]);
    expect(decoder.end()).toEqual([]);
  });

  test.each<[string, string]>([
    ["CRLF line ends", WHOLE.replaceAll("\n", "\r\n")],
    ["CR line ends", WHOLE.replaceAll("\n", "\r")],
    [
      "comments and pings in between",
      WHOLE.replaceAll("event: content", `: hi\n\n${wire({ type: "ping" })}event: content`),
    ],
    ["a ping that is not JSON", `event: ping\ndata: pong\n\n${WHOLE}`],
    ["padding after the JSON", WHOLE.replaceAll("}\n\n", "}          \n\n\n\n")],
    ["no space after the colon", WHOLE.replaceAll(": {", ":{")],
    ["no event names", WHOLE.replaceAll(/event: .*\n/g, "")],
    ["data over several lines", WHOLE.replaceAll(',"', ',\ndata: "')],
    ["an unknown event", wire({ type: "message_mood", mood: "good" }) + WHOLE],
    ["unknown fields", WHOLE.replaceAll('{"type"', '{"new":{"a":[1]},"type"')],
    [
      "an unknown kind of delta",
      WHOLE.replace(
        "event: content_block_stop",
        `${delta(0, { type: "citations_delta", citation: {} })}event: content_block_stop`,
      ),
    ],
    ["no message_stop", WHOLE.replace(STOP, "")],
    ["no blank line after message_stop", WHOLE.slice(0, -1)],
    ["a last event without line end", WHOLE.slice(0, -2)],
    ["[DONE] at the end", `${WHOLE.replace(STOP, "")}data: [DONE]\n\n`],
    ["a byte order mark", `\uFEFF${WHOLE}`],
    [
      "blocks that nobody opened or closed",
      start() +
        delta(0, { type: "text_delta", text: "Hello" }) +
        delta(0, { type: "text_delta", text: ", world" }) +
        reason("end_turn"),
    ],
    [
      "text already in the start of the block",
      start() +
        open(0, { type: "text", text: "Hello" }) +
        delta(0, { type: "text_delta", text: ", world" }) +
        reason("end_turn") +
        STOP,
    ],
  ])("is the same with %s", (_name, stream) => {
    expect(decode(stream)).toEqual(HELLO);
  });

  test.each([
    ["end_turn", "end_turn"],
    ["tool_use", "tool_use"],
    ["max_tokens", "max_tokens"],
    ["stop_sequence", "stop_sequence"],
    ["refusal", "refusal"],
    ["pause_turn", "pause_turn"],
    ["model_context_window_exceeded", "context_window_exceeded"],
    ["something_new", "unknown"],
  ])("that stops by %s says %s", (wireReason, stopReason) => {
    expect(answerOf(start(), text(0, "a"), reason(wireReason), STOP).stopReason).toBe(stopReason);
  });

  test("without any content is an empty message", () => {
    expect(contentOf()).toEqual([]);
    expect(contentOf(text(0))).toEqual([]);
  });
});

describe("thinking", () => {
  test("comes with its signature, and as ciphertext where it is redacted", () => {
    const content = contentOf(
      open(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "Let me " }),
      delta(0, { type: "thinking_delta", thinking: "see." }),
      delta(0, { type: "signature_delta", signature: "EqQBCg==" }),
      stop(0),
      open(1, { type: "redacted_thinking", data: "EmwKAhgB" }),
      stop(1),
      text(2, "Yes."),
    );
    expect(content).toEqual([
      { type: "thinking", text: "Let me see.", signature: "EqQBCg==", dialect: "anthropic" },
      { type: "thinking", text: "", redactedData: "EmwKAhgB", dialect: "anthropic" },
      { type: "text", text: "Yes." },
    ]);
  });

  test("is kept where only its signature is shown, and dropped where there is nothing at all", () => {
    const empty = open(0, { type: "thinking", thinking: "" });
    expect(contentOf(empty, delta(0, { type: "signature_delta", signature: "EqQ" }), stop(0))).toEqual([
      { type: "thinking", text: "", signature: "EqQ", dialect: "anthropic" },
    ]);
    expect(contentOf(empty, stop(0))).toEqual([]);
  });
});

describe("tool calls", () => {
  const call = (id: string, input: object) => ({ type: "tool_use", id, name: "bash", input });

  test("are announced when they open, and grow by fragments", () => {
    expect(decode(start() + tool(0, "toolu_1", "", '{"a"', ":1}") + reason("tool_use") + STOP).slice(0, 3)).toEqual([
      { type: "tool_call_delta", callId: "toolu_1", name: "bash", argumentsFragment: "" },
      { type: "tool_call_delta", callId: "toolu_1", name: "bash", argumentsFragment: '{"a"' },
      { type: "tool_call_delta", callId: "toolu_1", name: "bash", argumentsFragment: ":1}" },
    ]);
  });

  test("may come interleaved; the index says what belongs together and in which order", () => {
    const json = (index: number, partial_json: string) => delta(index, { type: "input_json_delta", partial_json });
    const content = contentOf(
      open(2, { type: "tool_use", id: "b", name: "bash", input: {} }),
      open(1, { type: "tool_use", id: "a", name: "bash", input: {} }),
      json(1, '{"n":'),
      json(2, '{"n":2'),
      json(1, "1}"),
      stop(1),
      json(2, "}"),
      stop(2),
      text(0, "Two calls."),
    );
    expect(content).toEqual([{ type: "text", text: "Two calls." }, call("a", { n: 1 }), call("b", { n: 2 })]);
  });

  test.each([
    ["no fragment", tool(0, "a")],
    ["an empty fragment", tool(0, "a", "")],
    ["an empty object", tool(0, "a", "{}")],
    ["white space", tool(0, "a", " \n")],
  ])("with %s have no arguments", (_name, stream) => {
    expect(contentOf(stream)).toEqual([call("a", {})]);
  });

  test.each([['{"command": "rm -rf'], ["[1]"], ["7"], ['{"a":1}}']])(
    "with the arguments %j keep them as malformed",
    (json) => {
      expect(contentOf(tool(0, "a", json))).toEqual([{ ...call("a", {}), malformedInput: json }]);
    },
  );

  test("with arguments nested too deeply keep them as malformed", () => {
    const deep = `${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`;
    expect(contentOf(tool(0, "a", deep))).toEqual([{ ...call("a", {}), malformedInput: deep }]);
  });

  test("may have their whole input in the start of the block", () => {
    expect(contentOf(open(0, { type: "tool_use", id: "a", name: "bash", input: { n: 1 } }), stop(0))).toEqual([
      call("a", { n: 1 }),
    ]);
  });

  test("without an id get one that no other call has", () => {
    const anonymous = (index: number) => open(index, { type: "tool_use", name: "bash", input: {} }) + stop(index);
    expect(contentOf(anonymous(0), anonymous(1))).toEqual([call("msg_01_0", {}), call("msg_01_1", {})]);
  });

  test("survive a server that gives every block the same index", () => {
    expect(contentOf(text(0, "Both."), tool(0, "a", '{"n":1}'), tool(0, "b", '{"n":2}'))).toEqual([
      { type: "text", text: "Both." },
      call("a", { n: 1 }),
      call("b", { n: 2 }),
    ]);
  });
});

test("blocks of tools that ran at the provider are kept as its own client would put them together", () => {
  const content = contentOf(
    open(0, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }),
    delta(0, { type: "input_json_delta", partial_json: '{"query"' }),
    delta(0, { type: "input_json_delta", partial_json: ':"loom"}' }),
    stop(0),
    open(1, { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [{ type: "web_search_result" }] }),
    stop(1),
    open(2, { type: "compaction", content: null }),
    delta(2, { type: "compaction_delta", content: "So " }),
    delta(2, { type: "compaction_delta", content: "far.", sealed: true }),
    stop(2),
    text(3, "Found."),
  );
  const results = [{ type: "web_search_result" }];
  expect(content).toEqual([
    ...[
      { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "loom" } },
      { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: results },
      { type: "compaction", content: "So far.", sealed: true },
    ].map((data) => ({ type: "opaque", dialect: "anthropic", data })),
    { type: "text", text: "Found." },
  ]);
});

describe("token counts", () => {
  const usageOf = (...stream: string[]) => answerOf(...stream, STOP).usage;

  test("are the last value of each field and never a sum", () => {
    const first = { input_tokens: 100, output_tokens: 1, cache_read_input_tokens: 50, cache_creation_input_tokens: 20 };
    const last = { input_tokens: 110, output_tokens: 30, cache_read_input_tokens: null };
    expect(usageOf(start(first), reason("end_turn", { output_tokens: 9 }), reason("end_turn", last))).toEqual({
      inputTokens: 110,
      outputTokens: 30,
      cacheReadTokens: 50,
      cacheWriteTokens: 20,
      cacheWriteLongTokens: 0,
      reasoningTokens: 0,
    });
  });

  test("tell long cache entries from short ones, and thinking from answering", () => {
    const creation = { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 6 };
    const late = { output_tokens: 30, output_tokens_details: { thinking_tokens: 12 } };
    const stream = [
      start({ input_tokens: 1, cache_creation_input_tokens: 10, cache_creation: creation }),
      reason("end_turn", late),
    ];
    expect(usageOf(...stream)).toMatchObject({ cacheWriteTokens: 10, cacheWriteLongTokens: 6, reasoningTokens: 12 });
    expect(usageOf(start({ cache_creation: creation }), reason("end_turn"))).toMatchObject({ cacheWriteTokens: 10 });
    const searched = { output_tokens: 3, server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 } };
    expect(usageOf(start({}), reason("end_turn", searched))).toMatchObject({ webSearches: 2 });
  });

  test("that make no sense are ignored", () => {
    const odd = { input_tokens: -5, output_tokens: "many", cache_read_input_tokens: 1.5, cache_creation: [] };
    expect(usageOf(start(odd), reason("end_turn", { output_tokens: 3 }))).toMatchObject({
      inputTokens: 0,
      outputTokens: 3,
      cacheReadTokens: 0,
    });
  });
});

describe("a stream that fails", () => {
  test.each([
    ["overloaded_error", "overloaded", true],
    ["api_error", "overloaded", true],
    ["rate_limit_error", "rate_limited", true],
    ["timeout_error", "timeout", true],
    ["invalid_request_error", "invalid_request", false],
    ["authentication_error", "unauthorized", false],
    ["billing_error", "budget_exceeded", false],
    ["mystery_error", "overloaded", true],
  ])("by an in-stream %s ends with %s after the text so far", (type, code, retryable) => {
    const error = wire({ type: "error", error: { type, message: "Sorry." } });
    expect(decode(start() + text(0, "a") + error + text(1, "b") + STOP)).toEqual([
      { type: "text_delta", text: "a" },
      { type: "error", error: { code, retryable, message: expect.stringContaining('"Sorry."') } },
    ]);
  });

  test.each([
    ["nothing at all", "", "network"],
    ["keep-alives only", ": ping\n\n", "network"],
    ["half of the first event", start().slice(0, 40), "network"],
    ["the start of a message", start(), "network"],
    ["half an answer", start() + text(0, "a"), "network"],
    ["half an event", WHOLE.slice(0, WHOLE.indexOf("end_turn")), "network"],
    ["a page of HTML", "<html><body>502</body></html>", "invalid_response"],
    ["plain words", "upstream connect error", "invalid_response"],
    [
      "an event whose JSON is cut",
      `${start()}event: content_block_delta\ndata: {"type":"content_bl\n\n`,
      "invalid_response",
    ],
    ["an event that is no object", `${start()}event: message_delta\ndata: 7\n\n`, "invalid_response"],
  ])("after %s ends with one retryable error", (_name, stream, code) => {
    const events = decode(stream);
    expect(events.filter((event) => event.type !== "text_delta")).toEqual([
      { type: "error", error: expect.objectContaining({ code, retryable: true }) },
    ]);
  });

  test("says what the server said instead of streaming", () => {
    const body = '{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}';
    expect(decode(body)).toEqual([
      {
        type: "error",
        error: expect.objectContaining({ code: "unknown_model", message: expect.stringContaining("claude-9") }),
      },
    ]);
  });

  test("by an event that never ends is stopped at the bound", () => {
    const decoder = anthropicMessages.streamDecoder();
    const piece = bytesOf("x".repeat(1024 * 1024));
    const events = [bytesOf("data: "), ...Array<Uint8Array>(17).fill(piece)].flatMap((bytes) => decoder.push(bytes));
    expect(events).toEqual([{ type: "error", error: expect.objectContaining({ code: "invalid_response" }) }]);
  });
});

describe("any bytes", () => {
  const block = fc.oneof(
    fc.tuple(fc.nat(3), fc.string({ unit: "grapheme" })).map(([index, words]) => text(index, words, "é😀")),
    fc
      .tuple(fc.nat(3), fc.json())
      .map(([index, json]) => tool(index, `toolu_${index}`, json.slice(0, 3), json.slice(3))),
    fc.constantFrom(
      wire({ type: "ping" }),
      ": hi\n",
      "\n",
      open(1, { type: "later" }),
      STOP,
      start(),
      reason("tool_use"),
    ),
    fc.constantFrom("data: {\n\n", wire({ type: "error", error: { type: "overloaded_error", message: "é" } })),
  );
  const stream = fc
    .tuple(fc.array(block, { maxLength: 8 }), fc.constantFrom("\n", "\r\n", "\r"))
    .map(([blocks, lineEnd]) => bytesOf((start() + blocks.join("")).replaceAll("\n", lineEnd)));

  test("give the same events however they are split", () => {
    fc.assert(
      fc.property(stream.chain(splits), ({ whole, chunks }) => {
        expect(decode(...chunks)).toEqual(decode(whole));
      }),
      { numRuns: 300 },
    );
  });

  test("end in exactly one terminal event, the last one, also when the stream is cut or spoiled", () => {
    const spoiled = fc
      .tuple(stream, fc.nat(2_000), fc.nat(2_000), fc.uint8Array({ maxLength: 5 }))
      .map(([bytes, from, to, noise]) => {
        return Uint8Array.from([...bytes.slice(0, from), ...noise, ...bytes.slice(to)]);
      });
    fc.assert(
      fc.property(fc.oneof(spoiled, fc.uint8Array({ maxLength: 200 })).chain(splits), ({ chunks }) => {
        const events = decode(...chunks);
        const terminal = events.filter(({ type }) => type === "completed" || type === "error");
        expect(terminal).toEqual(events.slice(-1));
      }),
      { numRuns: 500 },
    );
  });
});
