import { expect, test } from "vitest";
import { decodeCursor, encodeCursor, pageOf } from "./paging.ts";

test("a cursor comes back as it was made", () => {
  const cursor = ["2026-01-01T00:00:00.000Z", 7] as const;
  expect(decodeCursor(encodeCursor(cursor), ["string", "number"])).toEqual(cursor);
});

test.each(["", "nonsense", encodeCursor([1]), encodeCursor(["a", "b"]), "e30"])("%j is no cursor", (text) => {
  expect(() => decodeCursor(text, ["string", "number"])).toThrow("cursor");
});

test("a page ends where there is more, and says where to go on", () => {
  const rows = [1, 2, 3];
  expect(pageOf(rows, 2, (row) => [row])).toEqual({ items: [1, 2], nextCursor: encodeCursor([2]) });
  expect(pageOf(rows, 3, (row) => [row])).toEqual({ items: rows, nextCursor: null });
  expect(pageOf([], 3, () => [])).toEqual({ items: [], nextCursor: null });
});
