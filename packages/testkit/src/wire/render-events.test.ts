import fc from "fast-check";
import { expect, test } from "vitest";
import type { SseEvent } from "./dialect.ts";
import { renderEvents } from "./render-events.ts";

/** The event-stream grammar of the WHATWG, in the plainest form: a whole text at once. */
function readEvents(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  let event: string | undefined;
  let data: string[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (line === "") {
      if (data.length > 0) events.push({ ...(event !== undefined && { event }), data: data.join("\n") });
      event = undefined;
      data = [];
    } else if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return events;
}

const NOISE: readonly SseEvent[] = [{ event: "noise", data: '{"type":"noise"}' }];

test("CRLF ends every line when asked for", () => {
  const [frame] = renderEvents([{ event: "ping", data: "{}" }], { lineEnd: "\r\n" }, []);
  expect(frame).toBe("event: ping\r\ndata: {}\r\n\r\n");
});

test("noise changes no event: a reader that follows the grammar finds them all, in order", () => {
  const events = fc.array(
    fc.record({
      event: fc.constantFrom("message_start", "content_block_delta", "message_stop"),
      data: fc
        .record({ type: fc.string(), text: fc.string({ unit: "grapheme" }) })
        .map((value) => JSON.stringify(value)),
    }),
  );
  fc.assert(
    fc.property(events, fc.constantFrom("\n", "\r\n" as const), (originals, lineEnd) => {
      const frames = renderEvents(originals, { noise: true, lineEnd }, NOISE);
      expect(frames).toHaveLength(originals.length);
      const read = readEvents(frames.join("")).filter(({ event }) => event !== "noise");
      expect(read.map(({ event, data }) => ({ event, ...JSON.parse(data) }))).toEqual(
        originals.map(({ event, data }) => ({ event, obfuscation: expect.any(String), ...JSON.parse(data) })),
      );
    }),
  );
});

test("noise holds comments, a byte order mark, unknown fields and events, ids and split data", () => {
  const events = Array.from({ length: 4 }, () => ({ event: "x", data: '{"type":"x"}' }));
  const text = renderEvents(events, { noise: true }, NOISE).join("");
  for (const part of [
    "\uFEFF: stream begins",
    ": keep-alive 1",
    "event: noise",
    "loneword",
    "id: 2",
    "retry: 3000",
    "data: {\n",
  ]) {
    expect(text).toContain(part);
  }
});

test("the last marker of Chat Completions is left as it is", () => {
  expect(renderEvents([{ data: "{}" }, { data: "[DONE]" }], { noise: true }, [])[1]).toContain("data:[DONE]\n\n");
});
