import { describe, expect, test, vi } from "vitest";
import { excessClause, JSON_BOUNDS, jsonExcess } from "./json-bounds.ts";

const bounds = { depth: 3, values: 6 };
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

describe("what a text exceeds", () => {
  test.each([
    ["[[[0]]]", undefined],
    ['{"a":[{"b":[]}]}', "depth"],
    ["[[[[]]]]", "depth"],
    ["[[0],{}]", undefined],
    ["[1,2,3,4,5]", undefined],
    ["[1,2,3,4,5,6]", "values"],
    ['["[[[[[[[[[[",",,,,,,,,,"]', undefined],
    ['["\\"[[[[[[[[[","\\\\",[[[]]]]', "depth"],
    ['["\\\\[[[[[[[[[",",\\\\\\",,,,,,,,"]', undefined],
  ])("%s", (text, excess) => {
    expect(jsonExcess(text, bounds)).toBe(excess);
  });

  test("in long strings, whatever is escaped in them", () => {
    for (const filler of [
      "x",
      "\\\\",
      '\\"',
      '\\\\\\"x',
      "\\\\x\\n",
      `${"x".repeat(100)}\\"[`,
      `${"x".repeat(99)}\\\\`,
    ]) {
      const string = `"${filler.repeat(500)}"`;
      expect(jsonExcess(`[[${string},{"${"k".repeat(200)}":${string}}]]`, bounds)).toBeUndefined();
      expect(jsonExcess(`[[${string},{"k":[${string}]}]]`, bounds)).toBe("depth");
      expect(jsonExcess(`[${string},1,${string},2,${string},3]`, bounds)).toBe("values");
    }
  });

  test("is known as soon as it is exceeded, of what is no JSON either", () => {
    const looks = vi.spyOn(String.prototype, "charCodeAt");
    expect(jsonExcess(nested(1_000_000), JSON_BOUNDS)).toBe("depth");
    expect(looks).toHaveBeenCalledTimes(JSON_BOUNDS.depth + 1);
    looks.mockRestore();
    for (const text of ['"', '["', '["\\', "[", "}}}}}}}}}}}}}}}}", '"\\'.padEnd(100, "\\")])
      expect(jsonExcess(text, bounds)).toBeUndefined();
  });
});

test("what is exceeded is said with its bound", () => {
  expect(excessClause("depth", JSON_BOUNDS)).toMatch(/^is nested too deeply: at most 512 /);
  expect(excessClause("values", JSON_BOUNDS)).toMatch(/^has too many values: at most 250000 /);
});
