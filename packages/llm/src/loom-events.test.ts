import { type LlmEvent, MAX_JSON_DEPTH, NO_USAGE } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { failure, stream } from "./arbitrary.testing.ts";
import { loomEvents } from "./loom-events.ts";
import { toolUseFromText } from "./tool-input.ts";
import { bytesOf, splits } from "./wire.testing.ts";

function decode(...chunks: readonly Uint8Array[]): LlmEvent[] {
  const decoder = loomEvents.decoder();
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
}

const COMPLETED: Extract<LlmEvent, { type: "completed" }> = {
  type: "completed",
  response: {
    message: { role: "assistant", content: [{ type: "tool_use", id: "a", name: "bash", input: { n: 1 } }] },
    stopReason: "tool_use",
    usage: NO_USAGE,
    model: "m",
    costMicroUsd: 12,
  },
};
const encoded = (event: object) => `data: ${JSON.stringify(event)}\n\n`;

test("an event on the wire is its type, and itself as JSON", () => {
  expect(loomEvents.encode([{ type: "text_delta", text: 'a "b"\n' }, COMPLETED])).toBe(
    `event: text_delta\ndata: {"type":"text_delta","text":"a \\"b\\"\\n"}\n\nevent: completed\n${encoded(COMPLETED)}`,
  );
});

describe("what is encoded comes out the same", () => {
  test("however the bytes are split, with keep-alives in between", () => {
    const events = fc.tuple(stream, fc.option(failure, { nil: undefined })).map(([all, error]): readonly LlmEvent[] => {
      return error === undefined ? all : [...all.slice(0, -1), { type: "error", error }];
    });
    const written = events.chain((all) => {
      const text = all.map((event) => loomEvents.encode([event]) + loomEvents.keepAlive).join("");
      return splits(bytesOf(text)).map(({ chunks }) => ({ all, chunks }));
    });
    fc.assert(
      fc.property(written, ({ all, chunks }) => {
        expect(decode(...chunks)).toEqual(all);
      }),
      { numRuns: 300 },
    );
  });

  test("the deepest tool input that a provider's codec lets through too", () => {
    const text = `${'{"a":'.repeat(MAX_JSON_DEPTH)}1${"}".repeat(MAX_JSON_DEPTH)}`;
    const call = toolUseFromText("a", "bash", text);
    expect(call.malformedInput).toBeUndefined();
    const message = { role: "assistant", content: [call] } as const;
    const events: LlmEvent[] = [{ type: "completed", response: { ...COMPLETED.response, message } }];
    expect(decode(bytesOf(loomEvents.encode(events)))).toEqual(events);
  });

  test("half a character of a delta too", () => {
    const events: LlmEvent[] = [{ type: "text_delta", text: "\uD83D" }, COMPLETED];
    expect(decode(bytesOf(loomEvents.encode(events)))).toEqual(events);
  });
});

describe("the end of a stream", () => {
  test.each([
    ["nothing", ""],
    ["half an event", loomEvents.encode([COMPLETED]).slice(0, -2)],
  ])("after %s is one retryable error", (_name, text) => {
    expect(decode(bytesOf(text))).toEqual([
      {
        type: "error",
        error: { code: "network", retryable: true, message: expect.stringContaining("went away in mid-stream") },
      },
    ]);
  });

  test("is the first terminal event; what comes after it is ignored", () => {
    const text = loomEvents.encode([COMPLETED, { type: "text_delta", text: "more" }, COMPLETED]);
    expect(decode(bytesOf(text), bytesOf(text))).toEqual([COMPLETED]);
  });
});

describe("events of another version", () => {
  const response = COMPLETED.response;

  test("are skipped if their type is unknown, and keep fields that are", () => {
    const more = { ...COMPLETED, response: { ...response, mood: "good" } };
    expect(decode(bytesOf(encoded({ type: "mood", mood: "good" }) + encoded(more)))).toEqual([more]);
  });

  test("get the nearest known word for an unknown stop reason or error code", () => {
    const stopped = { ...COMPLETED, response: { ...response, stopReason: "bored" } };
    expect(decode(bytesOf(encoded(stopped)))).toEqual([
      { ...COMPLETED, response: { ...response, stopReason: "unknown" } },
    ]);
    const error = { code: "bored", message: "No.", retryable: false };
    expect(decode(bytesOf(encoded({ type: "error", error })))).toEqual([
      { type: "error", error: { ...error, code: "internal" } },
    ]);
  });

  test.each<[string, string]>([
    ["no JSON", "data: {\n\n"],
    ["no object", "data: []\n\n"],
    ["no type", encoded({})],
    ["text that is none", encoded({ type: "text_delta", text: 1 })],
    ["a call without a name", encoded({ type: "tool_call_delta", callId: "a", argumentsFragment: "" })],
    ["an answer without usage", encoded({ type: "completed", response: { ...response, usage: {} } })],
    [
      "an answer with an unknown block",
      encoded({
        type: "completed",
        response: { ...response, message: { role: "assistant", content: [{ type: "x" }] } },
      }),
    ],
    ["an error without a message", encoded({ type: "error", error: { code: "network", retryable: true } })],
  ])("end the stream with one error for %s", (_name, text) => {
    expect(decode(bytesOf(text + encoded(COMPLETED)))).toEqual([
      { type: "error", error: expect.objectContaining({ code: "invalid_response", retryable: false }) },
    ]);
  });
});

test("any bytes end in exactly one terminal event, the last one", () => {
  const spoiled = fc
    .tuple(stream, fc.nat(500), fc.nat(500), fc.uint8Array({ maxLength: 4 }))
    .map(([events, from, to, noise]) => {
      const bytes = bytesOf(loomEvents.encode(events));
      return Uint8Array.from([...bytes.slice(0, from), ...noise, ...bytes.slice(to)]);
    });
  fc.assert(
    fc.property(fc.oneof(spoiled, fc.uint8Array({ maxLength: 200 })).chain(splits), ({ whole, chunks }) => {
      const events = decode(...chunks);
      expect(events.filter(({ type }) => type === "completed" || type === "error")).toEqual(events.slice(-1));
      expect(events).toEqual(decode(whole));
    }),
    { numRuns: 500 },
  );
});
