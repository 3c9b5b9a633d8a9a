import { expect, test } from "vitest";
import { connectionBound } from "./connection-bound.ts";

const line = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft.padEnd(21)}524288               files\n`;

test("clients get less than half of the descriptors, where the system says how many there are", () => {
  expect(connectionBound(line("256"))).toBe(96);
  expect(connectionBound(line("1024"))).toBe(480);
  expect(connectionBound(line("20"))).toBe(16);
  expect(connectionBound(line("unlimited"))).toBeUndefined();
  expect(connectionBound("")).toBeUndefined();
});
