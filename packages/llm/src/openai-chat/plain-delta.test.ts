import type { JsonObject, JsonValue } from "@loom/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, splits, withTextsJoined } from "../wire.testing.ts";
import { calls, chunk, decode, stream, usageChunk } from "./chat.testing.ts";
import { PlainDeltas } from "./plain-delta.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom('"', "\\", '"content":"', '"},"x":{"content":"', "tab\there", "\u2028", "loom probe", "ü", ""),
);

/** Chunks that look alike: the same few shapes again and again, so that many follow one of their own kind. */
const shapes: readonly ((content: string) => JsonValue)[] = [
  (content) => chunk({ content }),
  (content) => chunk({ role: "assistant", content, reasoning_content: null, refusal: null }),
  (content) => chunk({ content }, "stop"),
  (content) => chunk({ reasoning: content, content: "fixed" }),
  (content) => chunk({ refusal: content, content: "fixed" }),
  (content) => chunk({ content: "fixed", note: { content } }),
  (content) => ({ note: { content }, model: "other", choices: [{ index: 0, delta: { content: "fixed" } }] }),
  (content) => ({ note: { content }, choices: [{ index: 0, delta: { content } }] }),
  (content) => ({ choices: [{ index: 1, delta: { content } }] }),
  (content) => ({ choices: [1, 0].map((index) => ({ index, delta: { content } })) }),
  (content) => ({ choices: [{ index: 0, delta: { content: "fixed", content_: content } }], obfuscation: content }),
  (content) => ({ model: "changed", choices: [{ index: 0, delta: { content } }] }),
  (content) => ({ 'a"content': content, choices: [{ index: 0, delta: { content: "fixed" } }] }),
  () => calls({ index: 0, id: "c", function: { name: "f", arguments: "1" } }),
  () => usageChunk({ prompt_tokens: 7, completion_tokens: 3 }),
];

const chunks = fc
  .array(fc.tuple(fc.constantFrom(...shapes), fc.array(text, { minLength: 1, maxLength: 5 })), { maxLength: 12 })
  .map((runs) => runs.flatMap(([shape, texts]) => texts.map(shape)));

/** White space between the tokens is different in every chunk, and no two are like each other. */
function unlike(value: JsonValue, index: number): string {
  return `${" ".repeat(1 + index)}${JSON.stringify(value)}`;
}

test("an answer is the same whether its chunks are alike or each has to be parsed", () => {
  const check = fc.property(chunks, (list) => {
    expect(decode(stream(...list, "[DONE]"))).toEqual(decode(stream(...list.map(unlike), "[DONE]")));
  });
  fc.assert(check, { numRuns: 1_000 });
});

test("an answer is the same whether many chunks come at once or each alone, however their bytes are cut", () => {
  const cut = chunks.chain((list) => splits(bytesOf(stream(...list, "[DONE]"))).map((split) => ({ list, ...split })));
  const check = fc.property(cut, fc.constantFrom("\n", "\r\n"), ({ list, chunks: pieces }, lineEnd) => {
    const alone = stream(...list.map(unlike), "[DONE]").replaceAll("\n", lineEnd);
    expect(withTextsJoined(decode(...pieces))).toEqual(withTextsJoined(decode(alone)));
  });
  fc.assert(check, { numRuns: 2_000 });
});

test("chunks like one of long ago are not taken for the last one over again behind an end that came late", () => {
  const data = (content: string, model: string) =>
    `data: ${JSON.stringify({ ...(chunk({ content }) as object), model })}\n\n`;
  const between = data("b", "other");
  const pieces = [data("a", "m") + between.slice(0, 9), between.slice(9) + data("c", "m") + data("d", "m")];
  expect(decode(...pieces, "data: [DONE]\n\n").at(-1)).toMatchObject({ response: { model: "m" } });
});

test("chunks that are alike come as one text, up to the first one that has to be parsed", () => {
  const data = (content: string) => `data: ${JSON.stringify(chunk({ content }))}\n\n`;
  const half = data("cut").slice(0, -9);
  const deltas = decode(data("a"), data("b") + data("") + data("c") + data("\n") + data("d") + half);
  expect(deltas.slice(0, -1)).toEqual(["a", "bc", "\n", "d"].map((text) => ({ type: "text_delta", text })));
  expect(deltas.at(-1)).toMatchObject({ type: "error", error: { code: "network" } });
});

test("a chunk like the last one is not parsed, and one that differs elsewhere or holds an escape is", () => {
  const deltas = new PlainDeltas();
  const data = (content: string, created = 1) =>
    JSON.stringify({ created, choices: [{ index: 0, delta: { content } }] });
  const learn = (json: string) => deltas.learn(json, JSON.parse(json) as JsonObject);
  expect(deltas.textOf(data("Hello"))).toBeUndefined();
  learn(data("Hello"));
  expect(deltas.textOf(data(", world"))).toBe(", world");
  expect(deltas.textOf(data(""))).toBe("");
  for (const other of [data("x", 2), data('"'), data("\n"), data("x").replace("x", "\t"), data("x").slice(0, -1), ""]) {
    expect(deltas.textOf(other)).toBeUndefined();
  }
  learn(data("said otherwise").replace("said", "\\u0073aid"));
  expect(deltas.textOf(data("Hello"))).toBeUndefined();
});

test("text that is no JSON where it stands fails the answer, also between chunks that are alike", () => {
  const good = `data: ${JSON.stringify(chunk({ content: "x" }))}\n\n`;
  expect(decode(good, good, good.replace('"x"', '"\t"')).at(-1)).toMatchObject({ type: "error" });
});

test("a server that writes something new into each chunk is not tried for ever", () => {
  const deltas = new PlainDeltas();
  const padded = (padding: number) => JSON.stringify({ choices: [{ index: 0, delta: { content: "x" } }], padding });
  for (let padding = 0; padding < 9; padding++) {
    expect(deltas.textOf(padded(padding))).toBeUndefined();
    deltas.learn(padded(padding), JSON.parse(padded(padding)));
  }
  expect(deltas.textOf(padded(8))).toBeUndefined();
});
