import type {
  AssistantContent,
  JsonObject,
  LlmEvent,
  LlmFailure,
  LlmResponse,
  StopReason,
  ThinkingBlock,
  Usage,
} from "@loom/core";
import fc from "fast-check";

/** Text with something to see in it, in any script, also with what JSON and event streams escape. */
export const words = fc
  .oneof(fc.string({ unit: "grapheme", maxLength: 20 }), fc.constantFrom('"\\', "\r\n\n", "\u2028", "data: 1\n\n"))
  .map((text) => `a${text}`);

export const jsonObject = fc.dictionary(
  fc.string({ maxLength: 5 }).filter((key) => key !== "__proto__"),
  fc.oneof(words, fc.integer(), fc.boolean(), fc.constant(null), fc.array(words, { maxLength: 2 })),
  { maxKeys: 4, noNullPrototype: true },
) satisfies fc.Arbitrary<JsonObject>;

const usage: fc.Arbitrary<Usage> = fc
  .record({
    input: fc.nat(),
    output: fc.nat(),
    read: fc.nat(),
    write: fc.nat(),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ input, output, read, write, part }) => ({
    inputTokens: input,
    outputTokens: output,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteLongTokens: Math.floor(write * part),
    reasoningTokens: Math.floor(output * part),
  }));

/** The one whose answers have all of these blocks. */
const dialect = fc.constant("anthropic");

const block: fc.Arbitrary<AssistantContent> = fc.oneof(
  words.map((text) => ({ type: "text", text }) as const),
  fc.record({ type: fc.constant("thinking" as const), text: words, signature: words, dialect }),
  words.map((text) => ({ type: "thinking", text }) as const),
  fc.record({ type: fc.constant("thinking" as const), text: fc.constant(""), redactedData: words, dialect }),
  fc.record({ type: fc.constant("tool_use" as const), id: fc.constant(""), name: words, input: jsonObject }),
  words.map((text) => ({ type: "tool_use", id: "", name: "bash", input: {}, malformedInput: `{${text}` }) as const),
);

const STOP_REASONS: readonly StopReason[] = ["end_turn", "tool_use", "max_tokens", "refusal"];

/** A whole answer; its tool calls have different ids. */
export const response: fc.Arbitrary<LlmResponse> = fc
  .tuple(fc.array(block, { maxLength: 6 }), fc.constantFrom(...STOP_REASONS), usage, words)
  .map(([blocks, stopReason, counts, model]) => {
    const content = blocks.map((each, index) => (each.type === "tool_use" ? { ...each, id: `call_${index}` } : each));
    return { message: { role: "assistant", content }, stopReason, usage: counts, model };
  });

export const failure: fc.Arbitrary<LlmFailure> = fc.record(
  {
    code: fc.constantFrom("network", "overloaded", "rate_limited", "invalid_request"),
    message: words,
    retryable: fc.boolean(),
    retryAfterMs: fc.nat(),
    status: fc.nat(599),
  },
  { requiredKeys: ["code", "message", "retryable"], noNullPrototype: true },
);

/** The deltas that lead to an answer, as a provider streams it, and the answer itself. */
export const stream: fc.Arbitrary<readonly LlmEvent[]> = response.chain((whole) =>
  fc
    .array(fc.nat(3), { minLength: 1, maxLength: 4 })
    .map((sizes): readonly LlmEvent[] => [
      ...whole.message.content.flatMap((each) => deltasOf(each, sizes)),
      { type: "completed", response: whole },
    ]),
);

function deltasOf(content: AssistantContent, sizes: readonly number[]): LlmEvent[] {
  switch (content.type) {
    case "text":
      return pieces(content.text, sizes).map((text) => ({ type: "text_delta", text }));
    case "thinking":
      return [
        ...pieces(content.text, sizes).map((text) => ({ type: "thinking_delta", text }) as const),
        ...sealOf(content),
      ];
    case "opaque":
      return [];
    case "tool_use": {
      const json = content.malformedInput ?? JSON.stringify(content.input);
      const { id: callId, name } = content;
      return ["", ...pieces(json, sizes)].map((argumentsFragment) => ({
        type: "tool_call_delta",
        callId,
        name,
        argumentsFragment,
      }));
    }
  }
}

function sealOf({ signature, redactedData: data, dialect: sealer }: ThinkingBlock): LlmEvent[] {
  const whose = sealer === undefined ? {} : { dialect: sealer };
  if (data !== undefined) return [{ type: "thinking_redacted", data, ...whose }];
  return signature === undefined ? [] : [{ type: "thinking_signature", signature, ...whose }];
}

function pieces(text: string, sizes: readonly number[]): string[] {
  const found: string[] = [];
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const size = 1 + (sizes[turn % sizes.length] ?? 0);
    found.push(text.slice(at, at + size));
    at += size;
  }
  return found;
}
