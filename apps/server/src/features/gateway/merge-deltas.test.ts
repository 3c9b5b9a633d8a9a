import type { LlmEvent } from "@loom/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { textOf } from "../../testing.ts";
import { mergeDeltas } from "./merge-deltas.ts";

const event: fc.Arbitrary<LlmEvent> = fc.oneof(
  fc.record({ type: fc.constant("text_delta" as const), text: fc.string() }),
  fc.record({ type: fc.constant("thinking_delta" as const), text: fc.string() }),
  fc.record({
    type: fc.constant("tool_call_delta" as const),
    callId: fc.constantFrom("a", "b"),
    name: fc.constant("read_file"),
    argumentsFragment: fc.string(),
  }),
  fc.constant<LlmEvent>({ type: "error", error: { code: "network", message: "It broke.", retryable: true } }),
);

const kindOf = (each: LlmEvent): string => (each.type === "tool_call_delta" ? `call ${each.callId}` : each.type);

function argumentsOf(events: readonly LlmEvent[], callId: string): string {
  return events
    .map((each) => (each.type === "tool_call_delta" && each.callId === callId ? each.argumentsFragment : ""))
    .join("");
}

test("merged deltas say the same in the same order", () => {
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const merged = mergeDeltas(events);
      expect(textOf(merged)).toBe(textOf(events));
      for (const id of ["a", "b"]) expect(argumentsOf(merged, id)).toBe(argumentsOf(events, id));
      const changes = events.map(kindOf).filter((kind, index, all) => kind === "error" || kind !== all[index - 1]);
      expect(merged.map(kindOf)).toEqual(changes);
    }),
  );
});
