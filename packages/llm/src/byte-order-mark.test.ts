import type { LlmEvent, LlmResponse } from "@loom/core";
import { NO_USAGE } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";
import { bytesOf, splits } from "./wire.testing.ts";

const CODECS: readonly (readonly [string, LlmCodec])[] = [
  ["Anthropic Messages", anthropicMessages],
  ["Chat Completions", openAiChat],
  ["Responses", openAiResponses],
  ["Gemini", gemini],
];

const RESPONSE: LlmResponse = {
  message: { role: "assistant", content: [{ type: "text", text: "Grüße" }] },
  stopReason: "end_turn",
  usage: NO_USAGE,
  model: "m",
};

function decoded(codec: LlmCodec, chunks: readonly Uint8Array[]): LlmEvent[] {
  const decoder = codec.streamDecoder();
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
}

/** What a provider may send: a stream, and an answer in one piece. */
function bodiesOf(codec: LlmCodec): string[] {
  const stream = codec.streamEncoder().push([
    { type: "text_delta", text: "Grüße" },
    { type: "completed", response: RESPONSE },
  ]);
  return [stream, JSON.stringify(codec.encodeResponse(RESPONSE))];
}

describe.each(CODECS)("a byte order mark before an answer in %s", (_name, codec) => {
  test.each([0, 1])("changes nothing, wherever the bytes are cut (%#)", (index) => {
    const text = bodiesOf(codec)[index] ?? "";
    const plain = decoded(codec, [bytesOf(text)]);
    if (index === 0) expect(plain.at(-1)?.type).toBe("completed");
    const marked = bytesOf(`\ufeff${text}`);
    const cuts = [0, 1, 2, 3, 4].flatMap((first) =>
      [1, 2, 3, 4, 5].map((second) => [first, Math.max(first, second)] as const),
    );
    for (const [first, second] of cuts) {
      const chunks = [marked.subarray(0, first), marked.subarray(first, second), marked.subarray(second)];
      expect(decoded(codec, chunks)).toEqual(plain);
    }
    fc.assert(
      fc.property(splits(marked), ({ chunks }) => {
        expect(decoded(codec, chunks).at(-1)).toEqual(plain.at(-1));
      }),
      { numRuns: 50 },
    );
  });
});
