import type { AssistantContent, JsonObject, LlmEvent, LlmRequest, Message, UserContent } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyOf, bytesOf, splits } from "../wire.testing.ts";
import { openAiResponses } from "./codec.ts";
import { added, CREATED, call, decode, decodeAll, done, end, message, part, wire } from "./responses.testing.ts";

const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const object = fc
  .dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4, noNullPrototype: true })
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);
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

const thought: fc.Arbitrary<AssistantContent> = fc.oneof(
  fc.record({
    type: fc.constant("thinking" as const),
    text: words,
    signature: words,
    dialect: fc.constant("responses"),
  }),
  fc.record({
    type: fc.constant("thinking" as const),
    text: words,
    signature: words,
    dialect: fc.constant("anthropic"),
  }),
  fc.record({ type: fc.constant("thinking" as const), text: fc.constant(""), redactedData: words }),
);

/** One answer, or what stands between two tool results: thoughts, texts and calls that alternate, in any order. */
const answer: fc.Arbitrary<AssistantContent[]> = fc
  .tuple(
    fc.array(fc.tuple(fc.option(thought), fc.option(words)), { maxLength: 2 }),
    fc.uniqueArray(fc.record({ id, name, input: object }), { maxLength: 3, selector: (each) => each.id }),
  )
  .map(([said, calls]) => [
    ...said.flatMap(([thinking, text], index): AssistantContent[] => [
      ...(thinking === null ? [] : [thinking]),
      ...(text === null && index === 0 ? [{ type: "text" as const, text: "…" }] : []),
      ...(text === null ? [] : [{ type: "text" as const, text }]),
    ]),
    ...calls.map((each) => ({ type: "tool_use" as const, ...each })),
  ])
  .map(withoutNeighbours);

/** Two texts in a row are one item for a stream, which says nothing of where a block ends. */
function withoutNeighbours(content: readonly AssistantContent[]): AssistantContent[] {
  return content.filter((block, index) => block.type !== "text" || content[index - 1]?.type !== "text");
}

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
    // No event tells of a thought that is nothing but ciphertext: its place is lost behind what came as deltas.
    const told = live && content.every((block) => block.type !== "thinking" || block.redactedData === undefined);
    return [...(told ? content.flatMap((block) => deltasOf(block, size)) : []), whole];
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
      const { signature, dialect } = block;
      const seal: LlmEvent[] =
        signature === undefined
          ? []
          : [{ type: "thinking_signature", signature, ...(dialect === undefined ? {} : { dialect }) }];
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

describe("a request that is written and read again", () => {
  const text = words.map((text) => ({ type: "text" as const, text }));
  const data = fc.base64String({ minLength: 4 });
  const media = fc.oneof(
    data.map((bytes): UserContent => ({ type: "image", mediaType: "image/png", data: bytes })),
    id.map((fileId): UserContent => ({ type: "remote_image", source: { type: "file", fileId } })),
    name.map((host): UserContent => ({ type: "remote_image", source: { type: "url", url: `https://${host}.test/` } })),
    data.map(
      (bytes): UserContent => ({
        type: "document",
        source: { type: "base64", mediaType: "application/pdf", data: bytes },
        title: "a.pdf",
      }),
    ),
    name.map((host): UserContent => ({ type: "document", source: { type: "url", url: `https://${host}.test/a` } })),
  );
  const said = fc.tuple(text, fc.option(media)).map(([first, second]) => [first, ...(second === null ? [] : [second])]);
  const output = fc.oneof(
    text.map((block) => [block]),
    fc
      .tuple(text, data)
      .map(([block, bytes]) => [block, { type: "image" as const, mediaType: "image/png", data: bytes }]),
  );

  /** Only the dialect's own thoughts go to its provider, and none without something after it. */
  const own = answer.map((content) => {
    const kept = content.filter((block) => block.type !== "thinking" || block.dialect === "responses");
    return kept.slice(0, kept.findLastIndex(({ type }) => type !== "thinking") + 1);
  });

  /** A conversation as core keeps it: every call answered, in order, before anything else is said. */
  const conversation = fc.tuple(said, fc.array(fc.tuple(own, said, output), { maxLength: 4 })).map(([first, turns]) => {
    const messages: Message[] = [{ role: "user", content: first }];
    for (const [content, next, result] of turns) {
      if (content.length === 0) continue;
      const results = content.flatMap((block) =>
        block.type === "tool_use"
          ? [{ type: "tool_result" as const, toolCallId: block.id, content: result, isError: false }]
          : [],
      );
      messages.push({ role: "assistant", content }, { role: "user", content: [...results, ...next] });
    }
    return messages;
  });

  const tool = fc
    .record({ name, description: words, inputSchema: object, strict: fc.boolean() })
    .map(({ strict, ...rest }) => (strict ? { ...rest, strict } : rest));

  const request: fc.Arbitrary<LlmRequest> = fc.record(
    {
      model: name.map((text) => `loom-${text}`),
      system: fc.oneof(fc.constant(""), words),
      messages: conversation,
      tools: fc.array(tool, { maxLength: 3 }),
      maxTokens: fc.integer({ min: 16, max: 1_000_000 }),
      temperature: fc.integer({ min: 0, max: 20 }).map((tenths) => tenths / 10),
      topP: fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10),
      toolChoice: fc.oneof(
        fc.record({ type: fc.constantFrom("auto", "none", "required") }),
        fc.record({ type: fc.constant("tool" as const), name }),
      ),
      parallelToolCalls: fc.boolean(),
      providerTools: fc.constant([{ dialect: "responses", definition: { type: "web_search" } }]),
      thinking: fc.oneof(
        fc.constant({ type: "off" as const }),
        fc.record({
          type: fc.constant("on" as const),
          effort: fc.constantFrom("minimal", "low", "medium", "high", "xhigh"),
        }),
        fc.constant({ type: "on" as const, effort: "low" as const, visible: true }),
      ),
      output: fc.oneof(
        fc.constant({ type: "json" as const }),
        fc.record({ type: fc.constant("json_schema" as const), name, schema: object, strict: fc.boolean() }),
      ),
      userId: id,
      cacheKey: id,
    },
    { requiredKeys: ["model", "system", "messages", "tools", "maxTokens"], noNullPrototype: true },
  );

  test("is the same", () => {
    fc.assert(
      fc.property(request, fc.boolean(), (sent, streaming) => {
        const body = JSON.stringify(bodyOf(openAiResponses.encodeRequest(sent, { stream: streaming })));
        expect(openAiResponses.decodeRequest(body)).toEqual({ ok: true, request: sent, stream: streaming });
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

test("whatever a client sends is a request or a problem, and never an exception", () => {
  const item = fc.record(
    {
      type: fc.oneof(
        fc.constantFrom(
          "message",
          "reasoning",
          "function_call",
          "function_call_output",
          "custom_tool_call",
          "compaction",
        ),
        fc.jsonValue(),
      ),
      role: fc.oneof(fc.constantFrom("system", "developer", "user", "assistant"), fc.jsonValue()),
      content: fc.oneof(words, fc.jsonValue(), fc.array(fc.record({ type: fc.constant("input_text"), text: words }))),
      call_id: fc.jsonValue(),
      name: words,
      arguments: words,
      output: fc.oneof(words, fc.jsonValue()),
      summary: fc.jsonValue(),
      encrypted_content: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const body = fc.record(
    {
      model: fc.oneof(name, fc.jsonValue()),
      input: fc.oneof(fc.array(item), words),
      tools: fc.jsonValue(),
      tool_choice: fc.jsonValue(),
      reasoning: fc.jsonValue(),
      text: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(body, (value) => {
      const decoded = openAiResponses.decodeRequest(JSON.stringify(value));
      if (!decoded.ok) expect(decoded.problem).toMatch(/\.$/);
    }),
    { numRuns: 500 },
  );
});
