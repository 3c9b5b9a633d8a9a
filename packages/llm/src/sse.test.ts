import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SseDecoder, type SseEvent } from "./sse.ts";
import { bytesOf, splits } from "./wire.testing.ts";

function decode(
  chunks: readonly Uint8Array[],
  maxEventSize?: number,
): { events: SseEvent[]; rest?: SseEvent; failed: boolean } {
  const decoder = new SseDecoder(maxEventSize === undefined ? {} : { maxEventSize });
  const events = chunks.flatMap((chunk) => decoder.push(chunk));
  const rest = decoder.end();
  return { events, ...(rest === undefined ? {} : { rest }), failed: decoder.failure !== undefined };
}

const message = (data: string): SseEvent => ({ event: "message", data });

describe("the event-stream format", () => {
  test.each([
    ["LF", "event: a\ndata: 1\n\ndata: 2\n\n"],
    ["CRLF", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n"],
    ["CR", "event: a\rdata: 1\r\rdata: 2\r\r"],
    ["a mix of them", "event: a\r\ndata: 1\r\n\ndata: 2\r\n\r"],
  ])("ends lines with %s", (_name, text) => {
    expect(decode([bytesOf(text)]).events).toEqual([{ event: "a", data: "1" }, message("2")]);
  });

  test.each<[string, string, SseEvent[]]>([
    ["comments are skipped", ": ping\n\n:\ndata: 1\n: in the middle\ndata: 2\n\n", [message("1\n2")]],
    ["several data lines are joined", "data: {\ndata: }\n\n", [message("{\n}")]],
    ["one space after the colon is dropped, no more", "data:x\ndata: x\ndata:  x\n\n", [message("x\nx\n x")]],
    ["a field without a colon is empty", "data\n\ndata\ndata\n\n", [message(""), message("\n")]],
    ["an empty name is no name", "event: \ndata: 1\n\nevent:\ndata: 2\n\n", [message("1"), message("2")]],
    ["an event without data is none", "event: a\n\ndata: 1\n\n", [message("1")]],
    ["the last name wins", "event: a\nevent: b\ndata: 1\n\n", [{ event: "b", data: "1" }]],
    ["unknown fields are skipped", "id: 7\nretry: 1\ndatum: 2\ndatax\n data: 3\ndata: 1\n\n", [message("1")]],
    ["a byte order mark at the start is dropped", "\uFEFFdata: 1\n\n", [message("1")]],
    ["a second byte order mark is not", "\uFEFF\uFEFFdata: 1\n\ndata: 2\n\n", [message("2")]],
    ["padding around events does not matter", "\n\n\ndata: 1\n\n\n\n\ndata: 2\n\n\n", [message("1"), message("2")]],
    ["colons in data are data", "data: a: b\n\n", [message("a: b")]],
  ])("%s", (_name, text, events) => {
    expect(decode([bytesOf(text)])).toEqual({ events, failed: false });
  });

  test.each([["data: 1\n"], ["data: 1"], ["data: 1\r"], ["data: 1\r\n"]])(
    "an event without its blank line is reported by end: %j",
    (text) => {
      expect(decode([bytesOf(text)])).toEqual({ events: [], rest: message("1"), failed: false });
    },
  );

  test("bytes that are not UTF-8 become U+FFFD, also half a character at the end", () => {
    expect(decode([Uint8Array.of(...bytesOf("data: a"), 0xff, ...bytesOf("b\n\n"))]).events).toEqual([
      message("a\uFFFDb"),
    ]);
    expect(decode([bytesOf("data: é").slice(0, -1)]).rest).toEqual(message("\uFFFD"));
  });
});

describe("the bound", () => {
  test("an event that is too large ends the stream with one failure, after the events before it", () => {
    const decoder = new SseDecoder({ maxEventSize: 20 });
    expect(decoder.push(bytesOf(`data: 1\n\ndata: ${"x".repeat(30)}\n\ndata: 2\n\n`))).toEqual([message("1")]);
    expect(decoder.failure).toMatchObject({ code: "invalid_response", retryable: false });
    expect(decoder.push(bytesOf("data: 3\n\n"))).toEqual([]);
    expect(decoder.end()).toBeUndefined();
  });

  test("is for one event, not for the stream", () => {
    expect(decode([bytesOf("data: 12345678\n\n".repeat(100))], 20).events).toHaveLength(100);
    expect(decode([bytesOf(": keep-alive\n".repeat(100))], 20).failed).toBe(false);
  });

  test("counts the lines of an event together", () => {
    expect(decode([bytesOf("data: 1234567\ndata: 12345678\n\n")], 20).failed).toBe(true);
  });

  test("an event of 10 MB in pieces of 1 KB comes out whole", () => {
    const piece = bytesOf("x".repeat(1024));
    const chunks = [bytesOf("data: "), ...Array<Uint8Array>(10 * 1024).fill(piece), bytesOf("\n\n")];
    expect(decode(chunks).events[0]?.data.length).toBe(10 * 1024 * 1024);
  });
});

describe("any split of the bytes", () => {
  const line = fc.oneof(
    fc.constantFrom("", "", "data", "data:", "data: é😀", "event: a", ": ping", "id: 1", "datax: 1", "\uFEFFdata: 1"),
    fc.string({ unit: "grapheme", maxLength: 8 }).map((text) => `data: ${text}`),
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 30 })
    .map((lines) => bytesOf(lines.map(([text, end]) => text + end).join("")));

  test("of a stream gives the same events", () => {
    fc.assert(
      fc.property(stream.chain(splits), ({ whole, chunks }) => {
        expect(decode(chunks)).toEqual(decode([whole]));
      }),
      { numRuns: 1000 },
    );
  });

  test("of an ordinary stream gives the same events, wherever the first cut is", () => {
    const whole = bytesOf("data: 1\n\nevent: a\ndata: 2\n\n: ping\n\nevent: b\ndata: 3\n\nevent: c\ndata: 4\n\n");
    const expected = [message("1"), { event: "a", data: "2" }, { event: "b", data: "3" }, { event: "c", data: "4" }];
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(decode([whole.slice(0, cut), whole.slice(cut)]).events).toEqual(expected);
    }
  });

  test("of anything at all, under a tight bound too, gives the same events", () => {
    const noise = fc.array(
      fc.oneof(fc.nat(255), fc.constantFrom(10, 13, 0xe2, 0x82, 0xac, 0xf0, 0x9f, ...bytesOf("data: "))),
      {
        maxLength: 80,
      },
    );
    fc.assert(
      fc.property(
        noise.map((bytes) => Uint8Array.from(bytes)).chain(splits),
        fc.constantFrom(5, 12, 1000),
        (input, bound) => {
          expect(decode(input.chunks, bound)).toEqual(decode([input.whole], bound));
        },
      ),
      { numRuns: 500 },
    );
  });
});
