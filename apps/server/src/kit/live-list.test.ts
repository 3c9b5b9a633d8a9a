import fc from "fast-check";
import { expect, test } from "vitest";
import { LiveList } from "./live-list.ts";

test("a live list holds what a set would hold, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ item: fc.nat(9), comes: fc.boolean() })), (changes) => {
      const items = Array.from({ length: 10 }, (_, name) => ({ name, place: -1 }));
      const list = new LiveList<(typeof items)[number]>();
      const expected = new Set<(typeof items)[number]>();
      for (const { item: name, comes } of changes) {
        const item = items[name];
        if (item === undefined) continue;
        if (comes) {
          list.add(item);
          expected.add(item);
        } else {
          list.delete(item);
          expected.delete(item);
        }
        expect(list.size).toBe(expected.size);
        expect(new Set(list.all())).toEqual(expected);
      }
    }),
  );
});

test("what is taken out while the list is gone through is gone through once", () => {
  const items = Array.from({ length: 5 }, () => ({ place: -1 }));
  const list = new LiveList<(typeof items)[number]>();
  for (const item of items) list.add(item);
  let seen = 0;
  for (const item of list.all()) {
    list.delete(item);
    seen += 1;
  }
  expect([seen, list.size]).toEqual([5, 0]);
});
