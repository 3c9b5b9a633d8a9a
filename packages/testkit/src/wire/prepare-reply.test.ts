import fc from "fast-check";
import { expect, test } from "vitest";
import { prepareReply, splitText } from "./prepare-reply.ts";

const circumstances = { number: 7, requestBytes: 400, toolCallPrefix: "toolu_" };

test("any text is cut into pieces that join to the same text and hold whole characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(50), (text, count) => {
      const pieces = splitText(text, count);
      expect(pieces.join("")).toBe(text);
      expect(pieces.length).toBeLessThanOrEqual(Math.max(1, count));
      for (const piece of pieces) {
        expect(piece).not.toBe("");
        expect(piece.isWellFormed()).toBe(true);
      }
    }),
  );
});

test("as many deltas as asked for, all of one size where that is possible", () => {
  const reply = prepareReply({ text: "lorem ipsum ".repeat(10_000), delivery: { deltas: 10_000 } }, circumstances);
  expect(reply.textDeltas).toHaveLength(10_000);
  expect(new Set(reply.textDeltas)).toEqual(new Set(["lorem ipsum "]));
});

test("what a script leaves open is filled in", () => {
  expect(prepareReply({ text: "Hello" }, circumstances)).toMatchObject({
    stopReason: "end_turn",
    usage: { inputTokens: 100, outputTokens: 2, cacheReadTokens: 0 },
  });
  expect(prepareReply({ toolCalls: [{ name: "a" }, { name: "b", id: "own" }] }, circumstances)).toMatchObject({
    stopReason: "tool_use",
    toolCalls: [
      { id: "toolu_7_0", arguments: "{}" },
      { id: "own", arguments: "{}" },
    ],
  });
});
