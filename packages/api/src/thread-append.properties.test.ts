import fc from "fast-check";
import { expect, test } from "vitest";
import { appendRecords } from "./schemas/threads.ts";
import { parseAppend, parseCopyWish } from "./thread-append.ts";

const anything = fc.oneof(
  fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null)), { maxLength: 3 }),
  fc.constantFrom<unknown>("", "x", 0, 1, -1, 1.5, 2 ** 53, null, true, {}, [], ["{}"], Array(10_000).fill("{}")),
  fc.constant(Array(10_001).fill("{}")),
);

test("the schema of an append by hand takes and refuses what the schema does", () => {
  const body = fc.oneof(
    anything,
    fc.record({ records: anything, from: anything, more: anything }, { requiredKeys: [] }),
    fc.record({ records: fc.constant(["{}"]), from: anything }, { requiredKeys: ["records"] }),
  );
  fc.assert(
    fc.property(body, (given) => {
      expect(parseAppend(given).ok).toBe(appendRecords.body.safeParse(given).success);
    }),
    { numRuns: 1_000 },
  );
});

test("so does that of its query", () => {
  const text = fc.constantFrom("records", "", "x");
  fc.assert(
    fc.property(fc.record({ copy: text, more: text }, { requiredKeys: [] }), (given) => {
      expect(parseCopyWish(given).ok).toBe(appendRecords.query.safeParse(given).success);
    }),
  );
});

test("a wrong field is named by its place", () => {
  expect(parseAppend({ records: ["{}", 7] })).toEqual({
    ok: false,
    errors: [{ field: "records[1]", message: "must be a string" }],
  });
});
