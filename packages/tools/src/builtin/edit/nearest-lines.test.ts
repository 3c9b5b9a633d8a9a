import fc from "fast-check";
import { expect, test } from "vitest";
import { nearestLines } from "./nearest-lines.ts";

const CODE = `import { a } from "./a";

export function first(value: number): number {
  return value + 1;
}

export function second(value: number): number {
  const doubled = value * 2;
  return doubled;
}
`.split("\n");

test("finds lines that differ in white space only, and calls them equal", () => {
  expect(nearestLines(CODE, ["const doubled = value * 2;", "\treturn doubled;"])).toEqual([
    { start: 7, similarity: 1 },
  ]);
});

test("finds a line with a small mistake", () => {
  expect(nearestLines(CODE, ["  const doubled = value * 3;"])[0]).toMatchObject({ start: 7 });
});

test("finds a block of which one line is right", () => {
  expect(
    nearestLines(CODE, ["export function second(v: number) {", "  const doubled = value * 2;", "  return v;"])[0],
  ).toMatchObject({ start: 6 });
});

test("finds nothing where nothing is similar", () => {
  expect(nearestLines(CODE, ["SELECT name FROM users WHERE id = 7"])).toEqual([]);
  expect(nearestLines([], ["x"])).toEqual([]);
  expect(nearestLines(CODE, [""])).toEqual([]);
  expect(nearestLines(CODE, ["}"])).toEqual([]);
});

test("gives several places that are about as good", () => {
  const lines = ["foo(1);", "x", "foo(2);", "x", "foo(3);"];
  expect(nearestLines(lines, ["foo(9);"]).map(({ start }) => start)).toEqual([0, 2, 4]);
});

test("a file of a hundred thousand lines is no problem, nor are lines of a megabyte", () => {
  const lines = Array.from(
    { length: 100_000 },
    (_, index) => `const value${index} = compute(${index}, "${index % 97}");`,
  );
  expect(nearestLines(lines, ['const value77777 = compute(77777, "x");'])[0]?.start).toBe(77_777);
  expect(nearestLines([`${"x y ".repeat(300_000)}`, "foo bar"], ["foo baz"])[0]?.start).toBe(1);
});

test("takes any text", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.string()), (lines, wanted) => {
      for (const { similarity } of nearestLines(lines, wanted)) expect(similarity).toBeLessThanOrEqual(1);
    }),
  );
});
