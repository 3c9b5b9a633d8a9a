import type { AssistantContent, JsonObject, LlmEvent, LlmRequest, Message, UserContent } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyOf, bytesOf, splits } from "../wire.testing.ts";
import { gemini } from "./codec.ts";
import { arrayStream, chunk, decode, decodeAll, stream } from "./gemini.testing.ts";

const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const seal = fc.base64String({ minLength: 4 });
const object = fc
  .dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4, noNullPrototype: true })
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_-]{0,20}$/);
const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);
const tokens = fc.nat(1_000_000);

const usage = fc
  .record({ inputTokens: tokens, answer: tokens, cacheReadTokens: tokens, reasoningTokens: tokens })
  .map(({ inputTokens, answer, cacheReadTokens, reasoningTokens }) => ({
    inputTokens,
    outputTokens: answer + reasoningTokens,
    cacheReadTokens,
    cacheWriteTokens: 0,
    cacheWriteLongTokens: 0,
    reasoningTokens,
  }));

const said: fc.Arbitrary<AssistantContent> = fc.oneof(
  words.map((text) => ({ type: "text", text }) as const),
  fc.record({ type: fc.constant("text" as const), text: words, signature: seal }),
  words.map((text) => ({ type: "thinking", text, dialect: "gemini" }) as const),
  fc.record({ type: fc.constant("thinking" as const), text: words, signature: seal, dialect: fc.constant("gemini") }),
  object.map((executableCode) => ({ type: "opaque", dialect: "gemini", data: { executableCode } }) as const),
);

const call = fc.record({ id, name, input: object, signature: fc.option(seal) }).map(({ signature, ...rest }) => ({
  type: "tool_use" as const,
  ...rest,
  ...(signature === null ? {} : { signature }),
}));

const answer: fc.Arbitrary<AssistantContent[]> = fc
  .tuple(fc.array(said, { maxLength: 4 }), fc.uniqueArray(call, { maxLength: 3, selector: (each) => each.id }))
  .map(([blocks, calls]) => [...blocks.reduce(withoutNeighbours, []), ...calls]);

/** Parts of one kind in a row are one block for a stream, unless a seal ends the first. */
function withoutNeighbours(blocks: AssistantContent[], block: AssistantContent): AssistantContent[] {
  const before = blocks.at(-1);
  const goesOn = before?.type === block.type && block.type !== "opaque" && !("signature" in before);
  return goesOn ? blocks : [...blocks, block];
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

function isEnd({ type }: LlmEvent): boolean {
  return type === "completed" || type === "error";
}

function textOf(events: readonly LlmEvent[], type: "text_delta" | "thinking_delta"): string {
  return events.map((event) => (event.type === type ? event.text : "")).join("");
}

describe("a stream that is written and read again", () => {
  test("gives the same answer, however its bytes are cut", () => {
    const wire = completed.chain((sent) => {
      const text = gemini.streamEncoder({ id: "1" }).push([sent]);
      return splits(bytesOf(text)).map(({ chunks }) => ({ chunks, sent }));
    });
    fc.assert(
      fc.property(wire, ({ chunks, sent }) => {
        expect(decodeAll(chunks).at(-1)).toEqual(sent);
      }),
    );
  });

  test("gives the same text and calls where they came as deltas", () => {
    const pieces = fc.array(fc.record({ type: fc.constantFrom("text_delta", "thinking_delta"), text: words }));
    fc.assert(
      fc.property(pieces, fc.array(call, { maxLength: 2 }), (deltas, calls) => {
        const thinking = textOf(deltas, "thinking_delta");
        const text = textOf(deltas, "text_delta");
        const content: AssistantContent[] = [
          ...(thinking === "" ? [] : [{ type: "thinking" as const, text: thinking, dialect: "gemini" }]),
          ...(text === "" ? [] : [{ type: "text" as const, text }]),
          ...calls.map((each, index) => ({ ...each, id: `call_${index}` })),
        ];
        const response = { ...SAMPLE, message: { role: "assistant" as const, content } };
        const encoder = gemini.streamEncoder({ id: "1" });
        const wire = [...deltas, { type: "completed" as const, response }].map((event) => encoder.push([event]));
        const events = decodeAll(wire);
        expect(textOf(events, "text_delta")).toBe(text);
        expect(textOf(events, "thinking_delta")).toBe(thinking);
        const last = events.at(-1);
        if (last?.type !== "completed") throw new Error(JSON.stringify(last));
        const callsOf = (blocks: readonly AssistantContent[]) => blocks.filter(({ type }) => type === "tool_use");
        expect(callsOf(last.response.message.content)).toEqual(callsOf(content));
      }),
    );
  });

  test("gives the same answer in one piece", () => {
    fc.assert(
      fc.property(completed, ({ response }) => {
        const body = JSON.stringify(gemini.encodeResponse(response));
        expect(gemini.decodeResponse(body)).toEqual({ ok: true, response });
      }),
    );
  });
});

const SAMPLE = {
  stopReason: "end_turn",
  usage: {
    inputTokens: 1,
    outputTokens: 1,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    cacheWriteLongTokens: 0,
    reasoningTokens: 0,
  },
  model: "gemini-test",
} as const;

describe("a request that is written and read again", () => {
  const text = words.map((text) => ({ type: "text" as const, text }));
  const data = fc.base64String({ minLength: 4 });
  const image = data.map((bytes) => ({ type: "image" as const, mediaType: "image/png", data: bytes }));
  const media = fc.oneof(
    image,
    name.map(
      (path): UserContent => ({
        type: "remote_image",
        source: { type: "url", url: `https://a.test/${path}`, mediaType: "image/png" },
      }),
    ),
    name.map(
      (path): UserContent => ({
        type: "document",
        source: { type: "file", fileId: `gs://bucket/${path}`, mediaType: "application/pdf" },
      }),
    ),
    data.map(
      (bytes): UserContent => ({
        type: "document",
        source: { type: "base64", mediaType: "application/pdf", data: bytes },
      }),
    ),
  );
  const spoken = fc
    .tuple(text, fc.option(media))
    .map(([first, second]) => [first, ...(second === null ? [] : [second])]);
  const output = fc
    .tuple(text, fc.option(image))
    .map(([block, picture]) => [block, ...(picture === null ? [] : [picture])]);

  /** A call without a seal would get one that says so. */
  const sealed = answer.map((content) =>
    content.map((block) => (block.type === "tool_use" ? { signature: "c2VhbA==", ...block } : block)),
  );

  /** A conversation as core keeps it: every call answered, in order, before anything else is said. */
  const conversation = fc
    .tuple(spoken, fc.array(fc.tuple(sealed, spoken, output, fc.boolean()), { maxLength: 4 }))
    .map(([first, turns]) => {
      const messages: Message[] = [{ role: "user", content: first }];
      for (const [content, next, result, isError] of turns) {
        if (content.length === 0) continue;
        const results = content.flatMap((block) =>
          block.type === "tool_use"
            ? [{ type: "tool_result" as const, toolCallId: block.id, content: result, isError }]
            : [],
        );
        messages.push({ role: "assistant", content }, { role: "user", content: [...results, ...next] });
      }
      return messages;
    });

  const schema = fc.constantFrom<JsonObject>(
    { type: "object", properties: { a: { type: ["string", "null"] } }, required: ["a"], additionalProperties: false },
    { type: "object", properties: { $schema: { $ref: "#/$defs/a" } }, $defs: { a: { const: 1 } } },
  );
  const tool = fc.record({ name, description: words, inputSchema: schema });

  const request: fc.Arbitrary<LlmRequest> = fc.record(
    {
      model: fc.constant(""),
      system: fc.oneof(fc.constant(""), words),
      messages: conversation,
      tools: fc.uniqueArray(tool, { minLength: 1, maxLength: 3, selector: (each) => each.name }),
      maxTokens: fc.integer({ min: 1, max: 1_000_000 }),
      temperature: fc.integer({ min: 0, max: 20 }).map((tenths) => tenths / 10),
      topP: fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10),
      topK: fc.integer({ min: 1, max: 100 }),
      seed: fc.nat(),
      stopSequences: fc.array(words, { minLength: 1, maxLength: 3 }),
      toolChoice: fc.oneof(
        fc.record({ type: fc.constantFrom("auto", "none", "required") }),
        fc.record({ type: fc.constant("tool" as const), name }),
      ),
      providerTools: fc.constant([{ dialect: "gemini", definition: { googleSearch: {} } }]),
      thinking: fc.oneof(
        fc.record({ type: fc.constant("on" as const), effort: fc.constantFrom("low", "medium", "high") }),
        fc.constant({ type: "on" as const, effort: "low" as const, visible: true }),
        fc.constant({ type: "on" as const, visible: true }),
      ),
      output: fc.oneof(
        fc.constant({ type: "json" as const }),
        schema.map((inner) => ({ type: "json_schema" as const, name: "answer", schema: inner, strict: true })),
      ),
    },
    { requiredKeys: ["model", "system", "messages", "tools", "maxTokens"], noNullPrototype: true },
  );

  test("is the same, but for the name of the model, which is in the path", () => {
    fc.assert(
      fc.property(request, (sent) => {
        const choice = sent.toolChoice;
        fc.pre(choice?.type !== "tool" || sent.tools.some((each) => each.name === choice.name));
        const body = JSON.stringify(bodyOf(gemini.encodeRequest(sent, { stream: true })));
        expect(gemini.decodeRequest(body)).toEqual({ ok: true, request: sent, stream: false });
      }),
    );
  });
});

describe("whatever a server sends", () => {
  const part = fc.constantFrom<JsonObject>(
    { text: "é😀" },
    { text: "Hm", thought: true },
    { text: "", thoughtSignature: "c2Vh" },
    { thoughtSignature: "c2Vh" },
    { text: "So.", thoughtSignature: "bGVk" },
    { functionCall: { name: "f", args: { x: 1 } } },
    { functionCall: { id: "a", name: "f", args: { x: 1 } }, thoughtSignature: "c2Vh" },
    { functionCall: { id: "a", name: "g" } },
    { functionCall: {} },
    { executableCode: { language: "PYTHON", code: "1" } },
    {},
  );
  const parts = fc.array(part, { maxLength: 3 });
  const fields = fc.constantFrom<JsonObject>(
    {},
    {},
    { finishReason: "STOP" },
    { finishReason: "MALFORMED_FUNCTION_CALL" },
    { usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2 } },
    { promptFeedback: { blockReason: "SAFETY" } },
    { candidates: [] },
    { error: { code: 503, message: "x", status: "UNAVAILABLE" } },
  );
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(parts, fields).map(([each, more]) => chunk(each, more)) },
    {
      weight: 1,
      arbitrary: fc.jsonValue().map((value): JsonObject => JSON.parse(JSON.stringify({ candidates: [value] }))),
    },
    { weight: 1, arbitrary: object },
  );
  const wire = fc
    .tuple(
      fc.array(piece, { maxLength: 12 }),
      fc.constantFrom("sse", "array"),
      fc.constantFrom("", "data: {br", '{"error":{"code":500}}', "]"),
    )
    .map(([chunks, kind, rest]) => bytesOf((kind === "sse" ? stream(...chunks) : arrayStream(...chunks)) + rest));
  const noise = fc.uint8Array({ maxLength: 200 });
  const nearlyJson = fc
    .tuple(fc.constantFrom("{", "[", "[{", "\uFEFF[", "data: {"), words)
    .map(([a, b]) => bytesOf(a + b));
  const anything = fc.oneof({ weight: 4, arbitrary: wire }, noise, nearlyJson);

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

  test("is told in deltas that add up to the answer, whose calls all have ids of their own", () => {
    fc.assert(
      fc.property(wire, (bytes) => {
        const events = decode(bytes);
        const last = events.at(-1);
        if (last?.type !== "completed") return;
        const { content } = last.response.message;
        const whole = (type: string) =>
          content.map((each) => (each.type === type && "text" in each ? each.text : "")).join("");
        expect(textOf(events, "text_delta")).toBe(whole("text"));
        expect(textOf(events, "thinking_delta")).toBe(whole("thinking"));
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
      object.map((error) => JSON.stringify([{ error }])),
      fc.tuple(parts, fields).map(([each, more]) => JSON.stringify(chunk(each, more))),
    );
    fc.assert(
      fc.property(body, fc.integer({ min: 100, max: 599 }), (text, status) => {
        expect(typeof gemini.decodeResponse(text).ok).toBe("boolean");
        expect(typeof gemini.decodeRequest(text).ok).toBe("boolean");
        expect(gemini.failureFromHttp({ status, headers: {}, body: text }, 0).message).not.toMatch(/\p{Cc}/u);
      }),
      { numRuns: 500 },
    );
  });
});

test("whatever a client sends is a request or a problem, and never an exception", () => {
  const part = fc.oneof(
    fc.record({ text: fc.oneof(words, fc.jsonValue()) }),
    fc.record({ functionCall: fc.oneof(fc.record({ name }), fc.jsonValue()), thoughtSignature: fc.jsonValue() }),
    fc.record({ functionResponse: fc.oneof(fc.record({ name, response: fc.jsonValue() }), fc.jsonValue()) }),
    fc.record({ inline_data: fc.oneof(fc.record({ mime_type: words, data: words }), fc.jsonValue()) }),
    fc.jsonValue(),
  );
  const content = fc.record(
    { role: fc.constantFrom("user", "model", "function", 7), parts: fc.oneof(fc.array(part), fc.jsonValue()) },
    { requiredKeys: [] },
  );
  const body = fc.record(
    {
      contents: fc.oneof(fc.array(content), fc.jsonValue()),
      system_instruction: fc.jsonValue(),
      tools: fc.oneof(
        fc.array(fc.record({ functionDeclarations: fc.array(fc.record({ name, parameters: fc.jsonValue() })) })),
        fc.jsonValue(),
      ),
      toolConfig: fc.oneof(fc.record({ functionCallingConfig: fc.record({ mode: fc.jsonValue() }) }), fc.jsonValue()),
      generationConfig: fc.oneof(
        fc.dictionary(fc.constantFrom("topK", "thinkingConfig", "responseSchema"), fc.jsonValue()),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(body, (value) => {
      const decoded = gemini.decodeRequest(JSON.stringify(value));
      if (!decoded.ok) expect(decoded.problem).toMatch(/\.$/);
    }),
    { numRuns: 500 },
  );
});
