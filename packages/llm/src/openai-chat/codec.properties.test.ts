import type { AssistantContent, JsonObject, LlmEvent, LlmRequest, Message, OpaqueBlock, UserContent } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toolUseFromText } from "../tool-input.ts";
import { bodyOf, bytesOf, splits } from "../wire.testing.ts";
import { calls, chunk, decode, stream, usageChunk } from "./chat.testing.ts";
import { openAiChat, openAiChatCodec } from "./codec.ts";

/** What an answer of this dialect is made of. */
type Spoken = Exclude<AssistantContent, OpaqueBlock>;

const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const object = fc
  .dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4, noNullPrototype: true })
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
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

/** Content in the order of this dialect: a thought, a text, calls. */
const answer: fc.Arbitrary<Spoken[]> = fc
  .record({
    thinking: fc.option(words),
    text: fc.option(words),
    calls: fc.uniqueArray(fc.record({ id: name, name, input: object }), { maxLength: 3, selector: ({ id }) => id }),
  })
  .map(({ thinking, text, calls }) => [
    ...(thinking === null ? [] : [{ type: "thinking" as const, text: thinking }]),
    ...(text === null ? [] : [{ type: "text" as const, text }]),
    ...calls.map((call) => ({ type: "tool_use" as const, ...call })),
  ]);

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

/** The deltas of an answer, cut and interleaved at random, or none of them, and then the answer. */
const eventStream = fc
  .tuple(completed, fc.boolean(), fc.array(fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 5 })), { maxLength: 40 }))
  .map(([whole, live, steps]) => (live ? [...deltasOf(whole.response.message.content, steps), whole] : [whole]));

/** Calls begin in the order of the answer; text and thinking may lack their ends, calls are told to the last. */
function deltasOf(content: readonly Spoken[], steps: readonly (readonly [number, number])[]): LlmEvent[] {
  const rests = content.map((block) => ({ block, rest: textOf(block) }));
  const events = content.flatMap((block) => (block.type === "tool_use" ? [deltaOf(block, "")] : []));
  for (const [pick, length] of steps) {
    const source = rests[pick % Math.max(1, rests.length)];
    if (source === undefined) continue;
    const characters = [...source.rest];
    const piece = characters.slice(0, length).join("");
    source.rest = characters.slice(length).join("");
    if (piece !== "") events.push(deltaOf(source.block, piece));
  }
  for (const { block, rest } of rests) if (block.type === "tool_use" && rest !== "") events.push(deltaOf(block, rest));
  return events;
}

function textOf(block: AssistantContent): string {
  if (block.type === "opaque") return "";
  return block.type === "tool_use" ? JSON.stringify(block.input) : block.text;
}

function deltaOf(block: Spoken, text: string): LlmEvent {
  if (block.type === "text") return { type: "text_delta", text };
  if (block.type === "thinking") return { type: "thinking_delta", text };
  return { type: "tool_call_delta", callId: block.id, name: block.name, argumentsFragment: text };
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
  test("gives the same answer, whatever part of it came as deltas, and however its bytes are cut", () => {
    const wire = eventStream.chain((events) => {
      const encoder = openAiChat.streamEncoder({ id: "1" });
      const text = events.map((event) => encoder.push([event])).join("");
      return splits(bytesOf(text)).map(({ chunks }) => ({ chunks, sent: events.at(-1) }));
    });
    fc.assert(
      fc.property(wire, ({ chunks, sent }) => {
        const events = decode(...chunks);
        expect(events.at(-1)).toEqual(sent);
        if (sent?.type !== "completed") return;
        const expected = sent.response.message.content.map(
          (block) =>
            [block.type === "tool_use" ? block.id : `${block.type}_delta`, textOf(block)] satisfies [string, string],
        );
        expect(toldBy(events)).toEqual(new Map(expected));
      }),
    );
  });

  test("gives the same answer in one piece", () => {
    fc.assert(
      fc.property(completed, ({ response }) => {
        const body = JSON.stringify(openAiChat.encodeResponse(response));
        expect(openAiChat.decodeResponse(body)).toEqual({ ok: true, response });
      }),
    );
  });
});

describe("a request that is written and read again", () => {
  const text = words.map((text) => ({ type: "text" as const, text }));
  const image = fc
    .base64String({ minLength: 4 })
    .map((data) => ({ type: "image" as const, mediaType: "image/png", data }));
  const remoteImage = fc.webUrl().map((url) => ({ type: "remote_image", source: { type: "url", url } }) as const);
  const pdf = fc
    .base64String({ minLength: 4 })
    .map((data) => ({ type: "base64", mediaType: "application/pdf", data }) as const);
  const file = name.map((id) => ({ type: "file", fileId: `file-${id}` }) as const);
  const document = fc.oneof(
    fc.record({ type: fc.constant("document" as const), source: pdf, title: words }),
    fc.record({ type: fc.constant("document" as const), source: file }),
  );
  const audio = object.map(
    (data) => ({ type: "opaque", dialect: "chat", data: { ...data, type: "input_audio" } }) as const,
  );
  const said = fc.oneof(
    text.map((block): UserContent[] => [block]),
    fc.tuple(text, fc.oneof(image, remoteImage, document, audio)).map((parts): UserContent[] => parts),
  );

  /** A conversation as core keeps it: every call answered, in order, before anything else is said. */
  const conversation = fc
    .tuple(said, fc.array(fc.tuple(answer, said, words), { maxLength: 4 }))
    .map(([first, turns]) => {
      const messages: Message[] = [{ role: "user", content: first }];
      for (const [content, next, output] of turns) {
        if (content.length === 0) continue;
        const results = content.flatMap((block) =>
          block.type === "tool_use"
            ? [
                {
                  type: "tool_result" as const,
                  toolCallId: block.id,
                  content: [{ type: "text" as const, text: output }],
                  isError: false,
                },
              ]
            : [],
        );
        messages.push({ role: "assistant", content }, { role: "user", content: [...results, ...next] });
      }
      return messages;
    });

  /** What OpenAI holds a model to, where it is asked to. */
  const schema = object.map(
    (each): JsonObject => ({ ...each, type: "object", properties: {}, additionalProperties: false }),
  );
  const tool = fc.record(
    { name, description: words, inputSchema: schema, strict: fc.boolean() },
    { requiredKeys: ["name", "description", "inputSchema"] },
  );
  const choice = fc.constantFrom<Pick<LlmRequest, "toolChoice" | "parallelToolCalls" | "providerTools">>(
    {},
    { toolChoice: { type: "none" } },
    { toolChoice: { type: "required" }, parallelToolCalls: false },
    { toolChoice: { type: "tool", name: "f" }, parallelToolCalls: true },
    { toolChoice: { type: "auto" }, providerTools: [{ dialect: "chat", definition: { type: "custom", custom: {} } }] },
  );

  const request: fc.Arbitrary<LlmRequest> = fc
    .record(
      {
        // One that nobody knows better than the request does.
        model: name.map((rest) => `model-${rest}`),
        system: fc.oneof(fc.constant(""), words),
        messages: conversation,
        tools: fc.array(tool, { maxLength: 3 }),
        maxTokens: fc.integer({ min: 1, max: 1_000_000 }),
        temperature: fc.double({ min: 0, max: 2, noNaN: true }).map(Math.abs),
        topP: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs),
        seed: fc.integer(),
        stopSequences: fc.array(words, { minLength: 1, maxLength: 4 }),
        userId: words,
        thinking: fc.constantFrom("low", "high").map((effort) => ({ type: "on", effort }) as const),
        output: fc.oneof(
          fc.constant({ type: "json" } as const),
          fc.record({
            type: fc.constant("json_schema" as const),
            name,
            schema,
            strict: fc.boolean(),
            description: words,
          }),
        ),
      },
      { requiredKeys: ["model", "system", "messages", "tools", "maxTokens"] },
    )
    .chain((value) =>
      value.tools.length === 0 ? fc.constant(value) : choice.map((chosen) => ({ ...value, ...chosen })),
    );

  test.each(["max_tokens", "max_completion_tokens"] as const)("is the same, with its bound in %s", (maxTokensField) => {
    const codec = openAiChatCodec({ maxTokensField, thinkingField: "reasoning_content" });
    fc.assert(
      fc.property(request, fc.boolean(), (sent, streaming) => {
        const body = JSON.stringify(bodyOf(codec.encodeRequest(sent, { stream: streaming })));
        const wanted = streaming ? { wantsUsage: true } : {};
        expect(codec.decodeRequest(body)).toEqual({ ok: true, request: sent, stream: streaming, ...wanted });
      }),
    );
  });
});

describe("whatever a server sends", () => {
  const field = fc.constantFrom<JsonObject>(
    { content: "é😀" },
    { content: null },
    { reasoning: "Hm" },
    { refusal: "No" },
    { role: "assistant" },
    { tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: '{"x":' } }] },
    { tool_calls: [{ index: 0, function: { arguments: "1}" } }] },
    { tool_calls: [{ index: 1, id: "a", function: { name: "g", arguments: "" } }, { function: { arguments: "{}" } }] },
    { tool_calls: [{ function: { name: "h" } }, { function: { name: "h", arguments: { y: 2 } } }] },
    { tool_calls: [null, 1, { index: -1 }, { index: 1e9, id: 7, function: [] }] },
    { function_call: { name: "f", arguments: "{}" } },
  );
  const piece = fc.oneof(
    { weight: 6, arbitrary: field.map((delta) => stream(chunk(delta))) },
    { weight: 2, arbitrary: fc.jsonValue().map((value) => stream(chunk(JSON.parse(JSON.stringify(value))))) },
    { weight: 1, arbitrary: fc.jsonValue().map((value) => stream(JSON.stringify(value))) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        ": ping\n\n",
        "\r\n\r\n",
        "event: x\ndata: y\n\n",
        'data: {"choices":\ndata: []}\n\n',
        stream(calls({ index: 0, function: {} })),
        stream(usageChunk({ prompt_tokens: 5, completion_tokens: 2 })),
        stream(chunk({}, "stop")),
        stream(chunk({}, "tool_calls")),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "data: {broken\n\n",
        stream("[DONE]"),
        stream({ error: { message: "x" } }),
        "event: error\ndata: {}\n\n",
        "data: [DONE]",
        'data: {"choices":[{"del',
      ),
    },
  );
  const wire = fc.array(piece, { maxLength: 20 }).map((pieces) => bytesOf(pieces.join("")));
  const noise = fc.uint8Array({ maxLength: 200 });
  const nearlyJson = fc.tuple(fc.constantFrom("{", " {", "\uFEFF{", "data: {"), words).map(([a, b]) => bytesOf(a + b));
  const anything = fc.oneof({ weight: 4, arbitrary: wire }, noise, nearlyJson);

  test("gives the same events however its bytes are cut", () => {
    fc.assert(
      fc.property(anything.chain(splits), ({ whole, chunks }) => {
        expect(decode(...chunks)).toEqual(decode(whole));
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

  test("is told in deltas that add up to the answer, whose calls all have ids of their own", () => {
    fc.assert(
      fc.property(wire, (bytes) => {
        const events = decode(bytes);
        const last = events.at(-1);
        if (last?.type !== "completed") return;
        const told = toldBy(events);
        const { content } = last.response.message;
        for (const block of content) {
          if (block.type === "opaque") continue;
          if (block.type !== "tool_use") expect(told.get(`${block.type}_delta`)).toBe(block.text);
          else if (block.name !== "unknown")
            expect(toolUseFromText(block.id, block.name, told.get(block.id) ?? "")).toEqual(block);
        }
        const ids = content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 500 },
    );
  });

  test("as a body is an answer or a failure, and never an exception", () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      object.map((error) => JSON.stringify({ error })),
    );
    fc.assert(
      fc.property(body, fc.integer({ min: 100, max: 599 }), fc.string(), (text, status, wait) => {
        expect(typeof openAiChat.decodeResponse(text).ok).toBe("boolean");
        expect(typeof openAiChat.decodeRequest(text).ok).toBe("boolean");
        const failure = openAiChat.failureFromHttp({ status, headers: { "retry-after": wait }, body: text }, 0);
        expect(failure.message).not.toMatch(/\p{Cc}/u);
      }),
      { numRuns: 500 },
    );
  });
});

test("whatever a client sends is a request or a problem, and never an exception", () => {
  const message = fc.record(
    {
      role: fc.oneof(fc.constantFrom("system", "user", "assistant", "tool"), fc.jsonValue()),
      content: fc.oneof(
        words,
        fc.jsonValue(),
        fc.array(fc.record({ type: fc.constantFrom("text", "image_url"), text: fc.jsonValue() })),
      ),
      tool_calls: fc.jsonValue(),
      tool_call_id: fc.jsonValue(),
    },
    { requiredKeys: ["role"] },
  );
  const body = fc.record(
    { model: fc.oneof(name, fc.jsonValue()), messages: fc.array(message), tools: fc.jsonValue(), n: fc.jsonValue() },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(body, (value) => {
      const decoded = openAiChat.decodeRequest(JSON.stringify(value));
      if (!decoded.ok) expect(decoded.problem).toMatch(/\.$/);
    }),
    { numRuns: 500 },
  );
});
