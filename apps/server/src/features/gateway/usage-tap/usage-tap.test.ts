import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WireDialect } from "../target.ts";
import type { TapReading } from "./tap-reading.ts";
import { createUsageTap } from "./usage-tap.ts";

const NOTHING = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  cacheWriteLongTokens: 0,
  reasoningTokens: 0,
};

const sse = (...events: readonly object[]) => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

const STREAMS: Readonly<
  Record<WireDialect, { readonly text: string; readonly usage: object; readonly model: string }>
> = {
  anthropic: {
    text: `event: message_start\n${sse({ type: "message_start", message: { model: "claude-x", usage: { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 } } })}${sse(
      {
        type: "content_block_delta",
        index: 0,
        delta: { type: "text_delta", text: 'Ähm, "usage":{"output_tokens":999}' },
      },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 7 } },
      { type: "message_stop" },
    )}`,
    usage: { ...NOTHING, inputTokens: 10, cacheReadTokens: 4, outputTokens: 7 },
    model: "claude-x",
  },
  chat: {
    text: `${sse(
      { model: "gpt-x", choices: [{ delta: { content: "Grüße" }, finish_reason: null }], usage: null },
      { model: "gpt-x", choices: [{ delta: {}, finish_reason: "stop" }], usage: null },
      {
        model: "gpt-x",
        choices: [],
        usage: { prompt_tokens: 12, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 2 } },
      },
    )}data: [DONE]\n\n`,
    usage: { ...NOTHING, inputTokens: 10, cacheReadTokens: 2, outputTokens: 3 },
    model: "gpt-x",
  },
  responses: {
    text: `event: response.created\n${sse({ type: "response.created", response: { model: "gpt-y", usage: null } })}${sse(
      { type: "response.output_text.delta", delta: "Grüße" },
      {
        type: "response.completed",
        response: {
          model: "gpt-y",
          output: [],
          usage: { input_tokens: 9, output_tokens: 5, output_tokens_details: { reasoning_tokens: 2 } },
        },
      },
    )}`,
    usage: { ...NOTHING, inputTokens: 9, outputTokens: 5, reasoningTokens: 2 },
    model: "gpt-y",
  },
  gemini: {
    text: sse(
      {
        candidates: [{ content: { parts: [{ text: "Grüße" }] } }],
        usageMetadata: { promptTokenCount: 8 },
        modelVersion: "gemini-x",
      },
      {
        candidates: [{ finishReason: "STOP" }],
        usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 6, totalTokenCount: 14 },
        modelVersion: "gemini-x",
      },
    ),
    usage: { ...NOTHING, inputTokens: 8, outputTokens: 6 },
    model: "gemini-x",
  },
};

/** The same events, with their JSON as people read it. */
function inSeveralLines(stream: string): string {
  return stream.replaceAll(/^data: (\{.*)$/gm, (_line, json: string) =>
    JSON.stringify(JSON.parse(json), null, 1).replaceAll(/^/gm, "data: "),
  );
}

function tap(dialect: WireDialect, bytes: Buffer, cuts: readonly number[], eventStream = true): TapReading {
  const watching = createUsageTap(dialect, { eventStream });
  const at = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let index = 1; index < at.length; index += 1) watching.push(bytes.subarray(at[index - 1], at[index]));
  return watching.read();
}

describe.each(Object.entries(STREAMS) as [WireDialect, (typeof STREAMS)["chat"]][])(
  "the tap on a stream of %s",
  (dialect, stream) => {
    const bytes = Buffer.from(stream.text);

    test("reads the counts, wherever the bytes are cut", () => {
      fc.assert(
        fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
          expect(tap(dialect, bytes, cuts)).toMatchObject({
            usage: stream.usage,
            model: stream.model,
            counted: true,
            complete: true,
            failed: false,
          });
        }),
      );
    });

    test("knows that it was cut off, and saw some text", () => {
      const cut = bytes.subarray(
        0,
        bytes.indexOf("\n\n", bytes.indexOf(dialect === "anthropic" ? "_delta" : "Gr")) + 2,
      );
      const reading = tap(dialect, cut, []);
      expect(reading.complete).toBe(false);
      expect(reading.textBytes).toBeGreaterThan(0);
    });

    test.each([
      ["CR", "\r"],
      ["CRLF", "\r\n"],
    ])("takes %s for a line end, wherever the bytes are cut", (_name, lineEnd) => {
      const bytes = Buffer.from(stream.text.replaceAll("\n", lineEnd));
      const exact = tap(dialect, Buffer.from(stream.text), []).textBytes;
      fc.assert(
        fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
          const before = Buffer.from(bytes);
          const reading = tap(dialect, bytes, cuts);
          expect(reading).toMatchObject({ usage: stream.usage, model: stream.model, complete: true, failed: false });
          expect(reading.textBytes).toBeLessThan(exact * 1.2 + 10);
          expect(bytes).toEqual(before);
        }),
      );
    });

    test.each([
      ["LF", "\n"],
      ["CR", "\r"],
      ["CRLF", "\r\n"],
    ])("knows its end where %s that ends it comes byte by byte", (_name, lineEnd) => {
      const bytes = Buffer.from(stream.text.replaceAll("\n", lineEnd));
      const cuts = Array.from({ length: 8 }, (_, index) => bytes.length - index);
      expect(tap(dialect, bytes, cuts)).toMatchObject({ usage: stream.usage, complete: true, failed: false });
    });

    test.each([
      ["LF", "\n"],
      ["CR", "\r"],
      ["CRLF", "\r\n"],
    ])(
      "reads an event whose data comes in several lines that end in %s, wherever the bytes are cut",
      (_name, lineEnd) => {
        const text = inSeveralLines(stream.text).replaceAll("\n", lineEnd);
        const bytes = Buffer.from(text);
        const lastEvent = Buffer.byteLength(text.slice(0, text.trimEnd().lastIndexOf(lineEnd + lineEnd)));
        fc.assert(
          fc.property(fc.nat(bytes.length), fc.array(fc.nat(bytes.length), { maxLength: 8 }), (end, cuts) => {
            const all = { usage: stream.usage, model: stream.model, complete: true };
            expect(tap(dialect, bytes, cuts)).toMatchObject(all);
            const cut = tap(
              dialect,
              bytes.subarray(0, end),
              cuts.filter((each) => each < end),
            );
            // A reason to stop may stand before the last event.
            if (end < lastEvent && dialect !== "chat") expect(cut.complete).toBe(false);
          }),
        );
      },
    );
  },
);

describe("the tap on the last event of Responses", () => {
  const created = {
    type: "response.in_progress",
    response: { tools: [{ parameters: { properties: { usage: { type: "object" } } } }], usage: null },
  };
  const response = {
    model: "gpt-y",
    output: [{ text: "y".repeat(500) }],
    usage: { input_tokens: 9, output_tokens: 5 },
  };
  const last = `event: response.completed\n${sse({ type: "response.completed", response })}`;
  const bytes = Buffer.from(`event: response.in_progress\n${sse(created)}${last}`);
  const lineEnd = bytes.length - 1;

  function cutAt(end: number, cuts: readonly number[] = []) {
    const watching = createUsageTap("responses", { eventStream: true });
    const at = [0, ...cuts.filter((cut) => cut < end).sort((a, b) => a - b), end];
    for (let index = 1; index < at.length; index += 1) watching.push(bytes.subarray(at[index - 1], at[index]));
    return { sealed: watching.isSealed(), ...watching.read() };
  }

  test("takes it for the end once its line of data has its own, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: bytes.length }),
        fc.array(fc.nat(bytes.length), { maxLength: 8 }),
        (end, cuts) => {
          const { sealed, complete, counted } = cutAt(end, cuts);
          expect(sealed).toBe(end >= lineEnd);
          // Without its line feed it is whole, too, though something may come after it.
          expect([complete, counted]).toEqual(end >= lineEnd - 1 ? [true, true] : [false, false]);
        },
      ),
    );
  });

  test("does not take a part of it for the whole because it ends with a brace", () => {
    const brace = bytes.indexOf("}", bytes.indexOf("yyy")) + 1;
    expect(cutAt(brace)).toMatchObject({ sealed: false, complete: false, counted: false });
  });
});

describe("the tap on an answer in one piece", () => {
  test.each([
    ["anthropic", { model: "m", usage: { input_tokens: 3, output_tokens: 4 } }],
    ["chat", { model: "m", choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }],
    ["responses", { model: "m", output: [], usage: { input_tokens: 3, output_tokens: 4 } }],
    ["gemini", { modelVersion: "m", candidates: [], usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 } }],
  ] as const)("of %s reads the counts", (dialect, body) => {
    const reading = tap(dialect, Buffer.from(JSON.stringify(body)), [5, 20], false);
    expect(reading).toMatchObject({
      usage: { ...NOTHING, inputTokens: 3, outputTokens: 4 },
      model: "m",
      counted: true,
      complete: true,
    });
  });

  test("of Gemini reads the array that it streams to those who ask for no events", () => {
    const body = [
      { usageMetadata: { promptTokenCount: 3 } },
      { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 } },
    ];
    expect(tap("gemini", Buffer.from(JSON.stringify(body)), [], false).usage).toEqual({
      ...NOTHING,
      inputTokens: 3,
      outputTokens: 4,
    });
  });

  test.each(["<html>", "", "{", "null", '{"usage":7}'])("finds nothing in %j", (body) => {
    expect(tap("chat", Buffer.from(body), [], false)).toMatchObject({ usage: NOTHING, counted: false });
  });
});

describe("an answer of Gemini that nobody waits for to its end", () => {
  const chunk = (text: string) => ({
    candidates: [{ content: { role: "model", parts: [{ text }] }, index: 0 }],
    usageMetadata: {
      promptTokenCount: 8,
      totalTokenCount: 8,
      promptTokensDetails: [{ modality: "TEXT", tokenCount: 8 }],
    },
    modelVersion: "gemini-x",
    responseId: "0123456789abcdefghij",
  });

  test.each([true, false])("has as much text as was in it, whatever else was ($0)", (eventStream) => {
    const texts = Array.from({ length: 20 }, (_, index) => `Piece "${index}" \\ of text.\n`);
    const chunks = texts.map(chunk);
    const list = `[${chunks.map((each) => JSON.stringify(each, null, 1)).join(",\n")},`;
    const { textBytes, complete } = tap("gemini", Buffer.from(eventStream ? sse(...chunks) : list), [100], eventStream);
    const exact = texts.map((text) => JSON.stringify(text).length).reduce((sum, length) => sum + length, 0);
    expect(complete).toBe(false);
    expect(textBytes).toBeGreaterThan(exact * 0.9);
    expect(textBytes).toBeLessThan(exact * 1.1);
  });
});

describe("the tap on a reason to stop", () => {
  const word = (content: string) => ({ choices: [{ index: 0, delta: { content } }] });
  const stop = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
  const counts = (tokens: number) => ({ usage: { prompt_tokens: 7, completion_tokens: tokens } });
  const part = (tokens: number, ...parts: readonly object[]) => ({
    candidates: [{ content: { parts }, finishReason: "STOP" }],
    usageMetadata: { promptTokenCount: 7, candidatesTokenCount: tokens },
  });
  const call = { functionCall: { name: "ls", args: {} } };

  test.each<readonly [name: string, finished: boolean, dialect: WireDialect, events: readonly object[]]>([
    ["counts with it", true, "chat", [word("Hi"), { ...stop, ...counts(9) }]],
    ["counts behind it", true, "chat", [word("Hi"), stop, { choices: [], ...counts(9) }]],
    ["nothing but an empty word behind it", true, "chat", [word("Hi"), { ...stop, ...counts(9) }, word("")]],
    ["counts before it only", false, "chat", [{ ...word("Hi"), ...counts(9) }, stop]],
    ["no output counted", false, "chat", [word("Hi"), stop, { choices: [], ...counts(0) }]],
    ["no output and none counted", true, "chat", [word(""), stop, { choices: [], ...counts(0) }]],
    ["a word behind it", false, "chat", [{ ...stop, ...counts(9) }, word("Hi"), { ...stop, ...counts(9) }]],
    ["Gemini's, once", true, "gemini", [part(9, { text: "Hi" })]],
    [
      "Gemini's, a seal behind it",
      true,
      "gemini",
      [part(9, { text: "Hi" }), part(9, { text: "", thoughtSignature: "x" })],
    ],
    ["Gemini's, a call behind it", false, "gemini", [part(9, { text: "Hi" }), part(9, call)]],
  ])("with %s: %s", (_name, finished, dialect, events) => {
    const whole = createUsageTap(dialect, { eventStream: true });
    whole.push(Buffer.from(sse(...events)));
    expect(whole.isFinished()).toBe(finished);
    const inLines = createUsageTap(dialect, { eventStream: true });
    inLines.push(Buffer.from(inSeveralLines(sse(...events))));
    expect(inLines.isFinished()).toBe(finished);
    const each = createUsageTap(dialect, { eventStream: true });
    for (const event of events) each.push(Buffer.from(sse(event)));
    expect(each.isFinished()).toBe(finished);
  });
});

test("events without the blank lines between them are read all the same", () => {
  const text = STREAMS.chat.text.replaceAll("\n\n", "\n");
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
      expect(tap("chat", Buffer.from(text), cuts)).toMatchObject({ usage: STREAMS.chat.usage, complete: true });
    }),
  );
});

test("an event of ten megabytes in many lines is let go, and the next one is read", () => {
  const watching = createUsageTap("responses", { eventStream: true });
  watching.push(Buffer.from("data: {\n"));
  const line = Buffer.from(`data: "${"x".repeat(64 * 1024)}",\n`);
  for (let index = 0; index < 160; index += 1) watching.push(line);
  expect(watching.read()).toMatchObject({ counted: false, complete: false });
  watching.push(Buffer.from(`data: }\n\n${STREAMS.responses.text}`));
  expect(watching.read()).toMatchObject({ usage: STREAMS.responses.usage, complete: true });
});

test("a line of ten megabytes without an end is let go", () => {
  const watching = createUsageTap("anthropic", { eventStream: true });
  const piece = Buffer.alloc(64 * 1024, "x");
  for (let index = 0; index < 160; index += 1) watching.push(piece);
  expect(watching.read()).toMatchObject({ counted: false, complete: false });
});
