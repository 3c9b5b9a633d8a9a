import type { AssistantContent, JsonObject } from "@loom/core";
import fc from "fast-check";

export const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
export const object = fc
  .dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4, noNullPrototype: true })
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
export const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
export const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);
const thought: fc.Arbitrary<AssistantContent> = fc.oneof(
  fc.record({
    type: fc.constant("thinking" as const),
    text: words,
    signature: words,
    dialect: fc.constant("responses"),
  }),
  fc.record({
    type: fc.constant("thinking" as const),
    text: words,
    signature: words,
    dialect: fc.constant("anthropic"),
  }),
  fc.record({ type: fc.constant("thinking" as const), text: fc.constant(""), redactedData: words }),
);

/** One answer, or what stands between two tool results: thoughts, texts and calls that alternate, in any order. */
export const answer: fc.Arbitrary<AssistantContent[]> = fc
  .tuple(
    fc.array(fc.tuple(fc.option(thought), fc.option(words)), { maxLength: 2 }),
    fc.uniqueArray(fc.record({ id, name, input: object }), { maxLength: 3, selector: (each) => each.id }),
  )
  .map(([said, calls]) => [
    ...said.flatMap(([thinking, text], index): AssistantContent[] => [
      ...(thinking === null ? [] : [thinking]),
      ...(text === null && index === 0 ? [{ type: "text" as const, text: "…" }] : []),
      ...(text === null ? [] : [{ type: "text" as const, text }]),
    ]),
    ...calls.map((each) => ({ type: "tool_use" as const, ...each })),
  ])
  .map(withoutNeighbours);

/** Two texts in a row are one item for a stream, which says nothing of where a block ends. */
function withoutNeighbours(content: readonly AssistantContent[]): AssistantContent[] {
  return content.filter((block, index) => block.type !== "text" || content[index - 1]?.type !== "text");
}
