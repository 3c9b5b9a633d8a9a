import type { AssistantContent, JsonObject, LlmEvent } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf, splits } from "../wire.testing.ts";
import { answer, name, object, words } from "./arbitrary.testing.ts";
import { openAiResponses } from "./codec.ts";
import { added, CREATED, call, decode, decodeAll, done, end, message, part, wire } from "./responses.testing.ts";

const tokens = fc.nat(1_000_000);

const usage = fc
  .record({
    inputTokens: tokens,
    outputTokens: tokens,
    cacheReadTokens: tokens,
    cacheWriteTokens: tokens,
    reasoningTokens: tokens,
  })
  .map((counts) => ({
    ...counts,
    cacheWriteLongTokens: 0,
    reasoningTokens: Math.min(counts.reasoningTokens, counts.outputTokens),
  }));

const completed = fc.record({ content: answer, usage, cut: fc.boolean(), model: name }).map(
  ({ content, usage, cut, model }) =>
    ({
      type: "completed",
      response: {
        message: { role: "assistant", content },
        stopReason: cut ? "max_tokens" : content.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn",
        usage,
        model,
      },
    }) as const,
);

/** The deltas of an answer and then the answer, as a provider streams it; or the answer alone. */
const eventStream = fc
  .tuple(completed, fc.boolean(), fc.integer({ min: 1, max: 5 }))
  .map(([whole, live, size]): LlmEvent[] => {
    const { content } = whole.response.message;
    return [...(live ? content.flatMap((block) => deltasOf(block, size)) : []), whole];
  });

function deltasOf(block: AssistantContent, size: number): LlmEvent[] {
  const characters = block.type === "opaque" ? [] : [...textOf(block)];
  const pieces = Array.from({ length: Math.ceil(characters.length / size) }, (_, nth) =>
    characters.slice(nth * size, (nth + 1) * size).join(""),
  );
  switch (block.type) {
    case "text":
      return pieces.map((text) => ({ type: "text_delta", text }));
    case "thinking": {
      const { signature, redactedData: data, dialect } = block;
      const sealer = dialect === undefined ? {} : { dialect };
      if (data !== undefined) return [{ type: "thinking_redacted", data, ...sealer }];
      const seal: LlmEvent[] = signature === undefined ? [] : [{ type: "thinking_signature", signature, ...sealer }];
      return [...pieces.map((text): LlmEvent => ({ type: "thinking_delta", text })), ...seal];
    }
    case "tool_use":
      return ["", ...pieces].map((argumentsFragment) => ({
        type: "tool_call_delta",
        callId: block.id,
        name: block.name,
        argumentsFragment,
      }));
    case "opaque":
      return [];
  }
}

function textOf(block: Exclude<AssistantContent, { type: "opaque" }>): string {
  return block.type === "tool_use" ? JSON.stringify(block.input) : block.text;
}

function isEnd({ type }: LlmEvent): boolean {
  return type === "completed" || type === "error";
}

/** Text, thinking and arguments as the deltas gave them. */
function toldBy(events: readonly LlmEvent[]): Map<string, string> {
  const told = new Map<string, string>();
  const add = (key: string, text: string) => told.set(key, (told.get(key) ?? "") + text);
  for (const event of events) {
    if (event.type === "text_delta" || event.type === "thinking_delta") add(event.type, event.text);
    if (event.type === "tool_call_delta") add(event.callId, event.argumentsFragment);
  }
  return told;
}

describe("a stream that is written and read again", () => {
  test("gives the same answer, as deltas or not, and however its bytes are cut", () => {
    const sealed = (block: AssistantContent) => (block.type === "thinking" ? `${block.text}!` : block.type);
    const stream = eventStream.chain((events) => {
      const encoder = openAiResponses.streamEncoder({ id: "1" });
      const text = events.map((event) => encoder.push([event])).join("");
      return splits(bytesOf(text)).map(({ chunks }) => ({ chunks, sent: events.at(-1) }));
    });
    fc.assert(
      fc.property(stream, ({ chunks, sent }) => {
        const last = decodeAll(chunks).at(-1);
        if (sent?.type !== "completed" || last?.type !== "completed") throw new Error(JSON.stringify(last));
        const { message, ...rest } = last.response;
        const { message: sentMessage, ...sentRest } = sent.response;
        expect(rest).toEqual(sentRest);
        // Seals of others are wrapped; a provider never sees them like this.
        expect(message.content.map(sealed)).toEqual(sentMessage.content.map(sealed));
        const calls = (content: readonly AssistantContent[]) => content.filter(({ type }) => type === "tool_use");
        expect(calls(message.content)).toEqual(calls(sentMessage.content));
      }),
    );
  });

  test("numbers its events without a gap, and ends in one that ends it", () => {
    fc.assert(
      fc.property(eventStream, (events) => {
        const encoder = openAiResponses.streamEncoder({ id: "1" });
        const data = encoder
          .push(events)
          .split("\n\n")
          .flatMap((text) => (text === "" ? [] : [JSON.parse(text.slice(text.indexOf("\ndata: ") + 7))]));
        expect(data.map((event) => event.sequence_number)).toEqual(data.map((_, index) => index));
        expect(
          data.map((event) => event.type).filter((type) => /^response\.(completed|incomplete)$/.test(type)),
        ).toEqual([data.at(-1)?.type]);
        const items = data.filter((event) => event.type === "response.output_item.done");
        const byIndex = items.toSorted((a, b) => a.output_index - b.output_index).map((event) => event.item);
        expect(data.at(-1)?.response.output).toEqual(byIndex);
        expect(data.filter((event) => event.type === "response.output_item.added").length).toBe(items.length);
      }),
    );
  });

  test("gives the same answer in one piece", () => {
    fc.assert(
      fc.property(completed, ({ response }) => {
        const own = response.message.content.every(
          (block) => block.type !== "thinking" || block.dialect === "responses",
        );
        const decoded = openAiResponses.decodeResponse(JSON.stringify(openAiResponses.encodeResponse(response)));
        if (own) expect(decoded).toEqual({ ok: true, response });
        else expect(decoded.ok).toBe(true);
      }),
    );
  });
});

describe("whatever a server sends", () => {
  const index = fc.constantFrom(0, 0, 1, 2);
  const item = fc.constantFrom<JsonObject>(
    { type: "message", id: "m", content: [{ type: "output_text", text: "é😀" }] },
    { type: "message", content: [{ type: "refusal", refusal: "No" }] },
    { type: "reasoning", summary: [{ type: "summary_text", text: "Hm" }], encrypted_content: "gAAA" },
    { type: "function_call", call_id: "a", name: "f", arguments: '{"x":1}' },
    { type: "function_call", id: "fc", arguments: { y: 2 } },
    { type: "function_call", call_id: "a", name: "g", arguments: "" },
    { type: "custom_tool_call", call_id: "c", name: "patch", input: "*** Begin" },
    { type: "web_search_call", id: "ws", status: "completed" },
    { type: 7, content: "x" },
    {},
  );
  const delta = fc.constantFrom(
    "output_text",
    "refusal",
    "reasoning_text",
    "reasoning_summary_text",
    "function_call_arguments",
    "custom_tool_call_input",
    "audio",
  );
  const piece = fc.oneof(
    fc.tuple(index, item).map(([at, each]) => added(at, each)),
    fc.tuple(index, item).map(([at, each]) => done(at, each)),
    fc.tuple(index, delta, words).map(([at, type, text]) => part(`${type}.delta`, at, { delta: text })),
    fc.tuple(index, delta, words).map(([at, type, text]) => part(`${type}.done`, at, { text, arguments: text })),
    index.map((at) => message(at, "a", "b")),
    index.map((at) => call(at, "k", '{"z"', ":0}")),
    fc.constantFrom(": ping\n\n", "\r\n\r\n", "event: x\ndata: y\n\n", CREATED, wire({ type: "response.rate_limits" })),
    fc.jsonValue().map((value) => `data: ${JSON.stringify(value)}\n\n`),
    fc.constantFrom(
      end("completed"),
      end("completed", { output: [{ type: "message", content: "whole" }], usage: { input_tokens: 4 } }),
      end("incomplete", { incomplete_details: { reason: "max_output_tokens" } }),
      end("failed", { error: { code: "server_error", message: "x" } }),
      wire({ type: "error", message: "x" }),
      "data: [DONE]\n\n",
      "data: {broken\n\n",
      'data: {"type":"response.comp',
    ),
  );
  const stream = fc.array(piece, { maxLength: 20 }).map((pieces) => bytesOf(pieces.join("")));
  const noise = fc.uint8Array({ maxLength: 200 });
  const nearlyJson = fc.tuple(fc.constantFrom("{", " {", "\uFEFF{", "data: {"), words).map(([a, b]) => bytesOf(a + b));
  const anything = fc.oneof({ weight: 4, arbitrary: stream }, noise, nearlyJson);

  test("gives the same events however its bytes are cut", () => {
    fc.assert(
      fc.property(anything.chain(splits), ({ whole, chunks }) => {
        expect(decodeAll(chunks)).toEqual(decode(whole));
      }),
      { numRuns: 500 },
    );
  });

  test("ends in one completed or one error, and nothing comes after it", () => {
    fc.assert(
      fc.property(anything, (bytes) => {
        const events = decode(bytes);
        expect(events.filter(isEnd)).toEqual(events.slice(-1));
        expect(events).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("has calls with ids of their own, and tells of each under that id", () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        const events = decode(bytes);
        const last = events.at(-1);
        if (last?.type !== "completed") return;
        const calls = last.response.message.content.filter((block) => block.type === "tool_use");
        expect(new Set(calls.map((block) => block.id)).size).toBe(calls.length);
        const told = toldBy(events);
        const named = calls.filter((block) => !/^unknown(?:__text)?$/.test(block.name));
        expect(named.filter((block) => !told.has(block.id))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("as a body is an answer or a failure, and never an exception", () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      object.map((error) => JSON.stringify({ error })),
      fc.array(item).map((output) => JSON.stringify({ object: "response", output })),
      fc.jsonValue().map((output) => JSON.stringify({ object: "response", output: [output] })),
    );
    fc.assert(
      fc.property(body, fc.integer({ min: 100, max: 599 }), (text, status) => {
        expect(typeof openAiResponses.decodeResponse(text).ok).toBe("boolean");
        expect(typeof openAiResponses.decodeRequest(text).ok).toBe("boolean");
        const failure = openAiResponses.failureFromHttp({ status, headers: {}, body: text }, 0);
        expect(failure.message).not.toMatch(/\p{Cc}/u);
      }),
      { numRuns: 500 },
    );
  });
});
