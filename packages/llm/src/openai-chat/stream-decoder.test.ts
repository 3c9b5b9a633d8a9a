import { type LlmEvent, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../wire.testing.ts";
import { answerOf, calls, chunk, decode, stream, usageChunk } from "./chat.testing.ts";
import { openAiChat } from "./codec.ts";

const USAGE = {
  prompt_tokens: 120,
  completion_tokens: 30,
  total_tokens: 150,
  prompt_tokens_details: { cached_tokens: 100, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 12 },
};
const COUNTED = { ...NO_USAGE, inputTokens: 20, cacheReadTokens: 100, outputTokens: 30, reasoningTokens: 12 };

const WHOLE = stream(
  chunk({ role: "assistant", content: "" }),
  chunk({ content: "Hello" }),
  chunk({ content: ", world" }),
  chunk({}, "stop"),
  usageChunk(USAGE),
  "[DONE]",
);

const HELLO: LlmEvent[] = [
  { type: "text_delta", text: "Hello" },
  { type: "text_delta", text: ", world" },
  {
    type: "completed",
    response: {
      message: { role: "assistant", content: [{ type: "text", text: "Hello, world" }] },
      stopReason: "end_turn",
      usage: COUNTED,
      model: "gpt-test",
    },
  },
];

describe("an answer of OpenAI", () => {
  test("gives its text as it comes, then the whole with its token counts", () => {
    expect(decode(WHOLE)).toEqual(HELLO);
  });

  test("is complete at [DONE], before the connection ends", () => {
    const decoder = openAiChat.streamDecoder();
    expect(decoder.push(bytesOf(WHOLE)).at(-1)?.type).toBe("completed");
    expect(decoder.push(bytesOf(WHOLE))).toEqual([]);
    expect(decoder.end()).toEqual([]);
  });
});

describe("the same answer comes out where a server", () => {
  const first = chunk({ role: "assistant", content: "" });
  const said = [chunk({ content: "Hello" }), chunk({ content: ", world" })];
  const finish = chunk({}, "stop");
  const finishWithUsage = { ...Object(chunk({}, "stop")), usage: USAGE };

  test.each<[string, string]>([
    ["sends no [DONE]", stream(first, ...said, finish, usageChunk(USAGE))],
    ["forgets the blank line after [DONE]", WHOLE.slice(0, -2)],
    ["ends lines with CRLF", WHOLE.replaceAll("\n", "\r\n")],
    ["puts no space after the colon", WHOLE.replaceAll("data: ", "data:")],
    ["sends comments between chunks", `: OPENROUTER PROCESSING\n\n${WHOLE.replaceAll("\n\n", "\n\n: ping\n\n")}`],
    ["sends named events nobody knows", `event: ping\ndata: {}\n\nevent: heartbeat\ndata: still here\n\n${WHOLE}`],
    ["sends empty data", stream("", first, "", ...said, finish, usageChunk(USAGE), "[DONE]")],
    ["counts in the chunk with the finish reason", stream(first, ...said, finishWithUsage, "[DONE]")],
    [
      "counts in every chunk",
      stream(
        { ...Object(first), usage: { prompt_tokens: 120, completion_tokens: 0, total_tokens: 120 } },
        ...said.map((one) => ({ ...Object(one), usage: { prompt_tokens: 120, completion_tokens: 9 } })),
        finishWithUsage,
        usageChunk(USAGE),
        "[DONE]",
      ),
    ],
    [
      "counts beside the choice, as Groq did",
      stream(first, ...said, { ...Object(finish), x_groq: { id: "r", usage: USAGE } }, "[DONE]"),
    ],
    [
      "counts in the choice, as Moonshot does",
      stream(first, ...said, {
        model: "gpt-test",
        choices: [{ index: 0, delta: {}, finish_reason: "stop", usage: USAGE }],
      }),
    ],
    [
      "says usage: null until the end",
      stream(...[first, ...said, finish].map((one) => ({ ...Object(one), usage: null })), usageChunk(USAGE), "[DONE]"),
    ],
    [
      "repeats the role",
      stream(
        chunk({ role: "assistant", content: "Hello" }),
        chunk({ role: "assistant", content: ", world" }),
        chunk({ role: "assistant", content: null }, "stop"),
        usageChunk(USAGE),
        "[DONE]",
      ),
    ],
    [
      "fills unused fields with null",
      stream(
        chunk({ role: "assistant", content: null, tool_calls: null, refusal: null, reasoning_content: null }),
        ...said,
        { ...Object(finish), error: null, service_tier: null, system_fingerprint: null },
        usageChunk(USAGE),
        "[DONE]",
      ),
    ],
    [
      "leaves out index, id and created",
      stream(...["Hello", ", world"].map((content) => ({ model: "gpt-test", choices: [{ delta: { content } }] })), {
        choices: [{ delta: {}, finish_reason: "stop" }],
        usage: USAGE,
      }),
    ],
    [
      "sends prompt filter results first, as Azure does",
      stream(
        { choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [{ prompt_index: 0 }] },
        first,
        ...said,
        finish,
        usageChunk(USAGE),
        "[DONE]",
      ),
    ],
    [
      "repeats the whole message at the end",
      stream(first, ...said, {
        model: "gpt-test",
        choices: [{ index: 0, message: { role: "assistant", content: "Hello, world" }, finish_reason: "stop" }],
        usage: USAGE,
      }),
    ],
    [
      "answers more often than asked",
      stream(
        first,
        { choices: [{ index: 1, delta: { content: "Bonjour" }, finish_reason: "length" }] },
        ...said,
        finish,
        usageChunk(USAGE),
        "[DONE]",
      ),
    ],
    [
      "sends content as parts, as Mistral does",
      stream(
        chunk({ content: [{ type: "text", text: "Hello" }] }),
        chunk({ content: [{ type: "text", text: ", world" }, { type: "reference" }] }),
        finish,
        usageChunk(USAGE),
      ),
    ],
  ])("%s", (_name, text) => {
    expect(decode(text)).toEqual(HELLO);
  });

  test("does not stream at all", () => {
    const body = {
      id: "chatcmpl-1",
      object: "chat.completion",
      model: "gpt-test",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello, world" }, finish_reason: "stop" }],
      usage: USAGE,
    };
    expect(decode("\uFEFF \n", JSON.stringify(body, undefined, 2)).at(-1)).toEqual(HELLO.at(-1));
  });
});

describe("thinking", () => {
  test.each(["reasoning_content", "reasoning"])("comes as %s", (field) => {
    const text = stream(
      chunk({ role: "assistant", content: null, [field]: "Let me " }),
      chunk({ content: null, [field]: "see." }),
      chunk({ content: "42", [field]: null }),
      chunk({}, "stop"),
      "[DONE]",
    );
    expect(decode(text).slice(0, -1)).toEqual([
      { type: "thinking_delta", text: "Let me " },
      { type: "thinking_delta", text: "see." },
      { type: "text_delta", text: "42" },
    ]);
    expect(answerOf(text).message.content).toEqual([
      { type: "thinking", text: "Let me see." },
      { type: "text", text: "42" },
    ]);
  });

  test("is told once where a server sends it under both names", () => {
    const text = stream(chunk({ reasoning: "Hm.", reasoning_content: "Hm." }), chunk({ content: "42" }, "stop"));
    expect(answerOf(text).message.content).toEqual([
      { type: "thinking", text: "Hm." },
      { type: "text", text: "42" },
    ]);
  });

  test("comes as parts of the content from Mistral", () => {
    const thinking = [{ type: "text", text: "Hm." }];
    const text = stream(
      chunk(
        {
          content: [
            { type: "thinking", thinking },
            { type: "text", text: "42" },
          ],
        },
        "stop",
      ),
    );
    expect(answerOf(text).message.content).toEqual([
      { type: "thinking", text: "Hm." },
      { type: "text", text: "42" },
    ]);
  });
});

describe("token counts", () => {
  const counted = (usage: object) => answerOf(stream(chunk({ content: "x" }, "stop"), usageChunk({ ...usage }))).usage;

  test.each<[string, object, object]>([
    ["are 0 where a server does not count", {}, {}],
    ["without details", { prompt_tokens: 7, completion_tokens: 3 }, { inputTokens: 7, outputTokens: 3 }],
    [
      "never go below 0 where more is cached than was sent",
      { prompt_tokens: 7, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 9 } },
      { cacheReadTokens: 7, outputTokens: 3 },
    ],
    [
      "know the cache of DeepSeek",
      { prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8, prompt_cache_miss_tokens: 2 },
      { inputTokens: 2, cacheReadTokens: 8, outputTokens: 1 },
    ],
    [
      "know the cache writes of OpenRouter",
      { prompt_tokens: 10, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 3, cache_write_tokens: 5 } },
      { inputTokens: 2, cacheReadTokens: 3, cacheWriteTokens: 5, outputTokens: 1 },
    ],
    [
      "add the thinking that xAI counts apart",
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 35,
        completion_tokens_details: { reasoning_tokens: 20 },
      },
      { inputTokens: 10, outputTokens: 25, reasoningTokens: 20 },
    ],
    [
      "that are no counts are ignored",
      { prompt_tokens: -5, completion_tokens: "3", total_tokens: 1.5, prompt_tokens_details: null },
      {},
    ],
  ])("%s", (_name, usage, expected) => {
    expect(counted(usage)).toEqual({ ...NO_USAGE, ...expected });
  });
});

describe("the reason to stop", () => {
  test.each([
    ["stop", "end_turn"],
    ["length", "max_tokens"],
    ["content_filter", "refusal"],
    ["sensitive", "refusal"],
    ["model_context_window_exceeded", "context_window_exceeded"],
    ["tool_calls", "unknown"],
    ["function_call", "unknown"],
    ["brand_new", "unknown"],
  ])("%s, without a tool call, is %s", (reason, stopReason) => {
    expect(answerOf(stream(chunk({ content: "x" }), chunk({}, reason))).stopReason).toBe(stopReason);
  });

  test.each([
    ["tool_calls", "tool_use"],
    ["stop", "tool_use"],
    ["function_call", "tool_use"],
    ["brand_new", "tool_use"],
    ["length", "max_tokens"],
    ["content_filter", "refusal"],
  ])("%s, with a tool call, is %s", (reason, stopReason) => {
    const call = { index: 0, id: "c", function: { name: "f", arguments: "{}" } };
    expect(answerOf(stream(calls(call), chunk({}, reason))).stopReason).toBe(stopReason);
  });

  test("is unknown where only [DONE] says that the answer is complete", () => {
    expect(answerOf(stream(chunk({ content: "x" }), "[DONE]"))).toMatchObject({
      message: { content: [{ type: "text", text: "x" }] },
      stopReason: "unknown",
    });
  });

  test("is a refusal where the model refuses, which OpenAI calls a stop", () => {
    const text = stream(chunk({ role: "assistant", refusal: "" }), chunk({ refusal: "I can't." }), chunk({}, "stop"));
    expect(decode(text)[0]).toEqual({ type: "text_delta", text: "I can't." });
    expect(answerOf(text)).toMatchObject({
      message: { content: [{ type: "text", text: "I can't." }] },
      stopReason: "refusal",
    });
  });
});
