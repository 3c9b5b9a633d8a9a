import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attribute } from "./attribution.ts";

const at = (dirty: Record<string, string>) => ({ head: "h", branch: "main", dirty: new Map(Object.entries(dirty)) });
const owes = (owed: Record<string, string>) => new Map(Object.entries(owed));

describe("a changed file", () => {
  test("is the agent's if it was as in HEAD before", () => {
    expect(attribute({ before: at({}), after: at({ a: "1" }), owed: owes({}), reported: "unknown" })).toEqual({
      agents: ["a"],
      mixed: [],
    });
  });

  test("is the person's if it was changed before, and mixed if the agent went on in it", () => {
    const before = at({ mine: "1", both: "1" });
    const after = at({ mine: "1", both: "2" });
    expect(attribute({ before, after, owed: owes({}), reported: "unknown" })).toEqual({ agents: [], mixed: ["both"] });
  });

  test("stays the agent's while nobody else has touched it", () => {
    const input = { before: at({ a: "1" }), after: at({ a: "1" }), reported: new Set<string>() };
    expect(attribute({ ...input, owed: owes({ a: "1" }) }).agents).toEqual(["a"]);
    expect(attribute({ ...input, owed: owes({ a: "0" }) }).agents).toEqual([]);
  });

  test("goes over to the person who changes it while other files are edited", () => {
    const input = { before: at({ a: "1" }), after: at({ a: "2", b: "1", c: "1" }), owed: owes({ a: "1" }) };
    expect(attribute({ ...input, reported: new Set(["b"]) })).toEqual({ agents: ["b"], mixed: [] });
  });
});

test("nothing that was changed before, and is not owed, is ever the agent's", () => {
  const snapshot = fc
    .dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2"))
    .map((dirty) => at({ ...dirty }));
  const reported = fc.oneof(
    fc.constant("unknown" as const),
    fc.subarray(["a", "b", "c", "d"]).map((paths) => new Set(paths)),
  );
  fc.assert(
    fc.property(snapshot, snapshot, snapshot, reported, (before, after, { dirty: owed }, tools) => {
      const { agents, mixed } = attribute({ before, after, owed, reported: tools });
      for (const path of agents) {
        expect(after.dirty.has(path)).toBe(true);
        expect(before.dirty.has(path) && before.dirty.get(path) !== owed.get(path)).toBe(false);
        expect(mixed).not.toContain(path);
      }
    }),
  );
});
