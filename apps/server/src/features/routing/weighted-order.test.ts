import { expect, test } from "vitest";
import { weightedOrder } from "./weighted-order.ts";

const ITEMS = [
  { id: "a", weight: 70 },
  { id: "b", weight: 20 },
  { id: "c", weight: 10 },
];
const same = (item: { id: string; weight: number }) => item;

function shares(items: typeof ITEMS, keys: number): Record<string, number> {
  const firsts: Record<string, number> = {};
  for (let key = 0; key < keys; key += 1) {
    const id = weightedOrder(items, same, `session-${key}`)[0]?.id ?? "";
    firsts[id] = (firsts[id] ?? 0) + 1 / keys;
  }
  return firsts;
}

test("over many sessions each target is first as often as its weight says", () => {
  const { a, b, c } = shares(ITEMS, 20_000);
  expect(a).toBeCloseTo(0.7, 1);
  expect(b).toBeCloseTo(0.2, 1);
  expect(c).toBeCloseTo(0.1, 1);
});

test("a session has the same order on every machine and every day", () => {
  expect(weightedOrder(ITEMS, same, "session-1").map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(weightedOrder(ITEMS, same, "session-7").map(({ id }) => id)).toEqual(
    weightedOrder(ITEMS.toReversed(), same, "session-7").map(({ id }) => id),
  );
});

test("another weight moves no session between the targets that kept theirs", () => {
  const heavier = ITEMS.map((item) => (item.id === "c" ? { ...item, weight: 60 } : item));
  for (let key = 0; key < 2_000; key += 1) {
    const [before] = weightedOrder(ITEMS, same, `${key}`);
    const [after] = weightedOrder(heavier, same, `${key}`);
    if (after?.id !== before?.id) expect(after?.id).toBe("c");
  }
});
