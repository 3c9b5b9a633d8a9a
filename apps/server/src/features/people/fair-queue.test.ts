import fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue } from "./fair-queue.ts";

test("each sender has his turn after all others", () => {
  const queue = new FairQueue<string>(10);
  for (const item of ["a1", "a2", "a3", "b1", "c1", "c2"]) queue.push(item.charAt(0), item);
  expect(Array.from({ length: 7 }, () => queue.shift())).toEqual(["a1", "b1", "c1", "a2", "c2", "a3", undefined]);
});

test("where it is full, who has the most in it loses his newest, and never who has less", () => {
  const queue = new FairQueue<string>(4);
  for (const item of ["a1", "a2", "a3", "b1"]) expect(queue.push(item.charAt(0), item)).toBe(0);
  expect(queue.push("a", "a4")).toBe(1);
  expect(queue.push("c", "c1")).toBe(1);
  expect(queue.push("b", "b2")).toBe(1);
  expect(Array.from({ length: 5 }, () => queue.shift())).toEqual(["a1", "b1", "c1", "a2", undefined]);
});

test("it holds at most so many, and of nobody more than it was given", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(5))), (steps) => {
      const queue = new FairQueue<number>(5);
      let size = 0;
      for (const sender of steps) {
        if (sender === null) size -= queue.shift() === undefined ? 0 : 1;
        else size += 1 - queue.push(String(sender), sender);
        expect(size).toBeLessThanOrEqual(5);
      }
      expect(queue.clear()).toBe(size);
      expect(queue.shift()).toBeUndefined();
    }),
  );
});
