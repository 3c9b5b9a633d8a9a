import { expect, test } from "vitest";
import { z } from "zod";
import { fieldErrorsOf } from "./field-errors.ts";

const limit = z.coerce.number().int().min(1).max(100).default(50);
const entry = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string().min(1).max(5) }),
  z.strictObject({ type: z.literal("count"), count: z.int().min(0) }),
]);
const schema = z.strictObject({
  limit,
  when: z.union([z.iso.datetime(), z.iso.date()]).optional(),
  role: z.enum(["owner", "member"]).optional(),
  name: z.string().regex(/^a/, "must begin with an a").optional(),
  items: z.array(entry).max(2).optional(),
});

test.each([
  [{ limit: "many" }, "limit", "must be a whole number from 1 to 100"],
  [{ limit: "101" }, "limit", "must be a whole number from 1 to 100"],
  [{ limit: 0 }, "limit", "must be a whole number from 1 to 100"],
  [{ limit: 1.5 }, "limit", "must be a whole number from 1 to 100"],
  [{ when: "yesterday" }, "when", "must be a time such as 2026-01-31T12:00:00Z, or a date such as 2026-01-31"],
  [{ role: "king" }, "role", "must be one of: owner, member"],
  [{ name: "bob" }, "name", "must begin with an a"],
  [{ items: "none" }, "items", "must be a list"],
  [{ items: [{}] }, "items[0].type", "must be one of: text, count"],
  [{ items: [{ type: "text" }] }, "items[0].text", "is missing"],
  [{ items: [{ type: "text", text: "too long" }] }, "items[0].text", "must have 1 to 5 characters"],
  [{ items: [{ type: "count", count: -1 }] }, "items[0].count", "must be a whole number, at least 0"],
  [{ items: [1, 2, 3] }, "items", "must have at most 2 entries"],
  [{ colour: "red" }, "colour", "is not a field of the API"],
  ["a text", "", "must be an object"],
  [undefined, "", "is missing"],
])("says of %j which field is wrong and how (%s)", (value, field, message) => {
  expect(fieldErrorsOf(schema, value)).toContainEqual({ field, message });
});

test("says of a thousand wrong fields what is wrong with the first, and repeats no long name", () => {
  const errors = fieldErrorsOf(
    schema,
    Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`${i}`.repeat(500), 1])),
  );
  expect(errors).toHaveLength(20);
  expect(JSON.stringify(errors).length).toBeLessThan(10_000);
});
