import { expect, test } from "vitest";
import { displayPath } from "./display-path.ts";

test("an ordinary path is shown as it is", () => {
  for (const path of ["src/a.ts", 'with "quotes" and \\', "größe/日本 語.txt"]) expect(displayPath(path)).toBe(path);
});

test("control characters and marks of direction are escaped", () => {
  expect(displayPath("a\nb")).toBe('"a\\nb"');
  expect(displayPath("a\u001b[31mb")).toBe('"a\\u001b[31mb"');
  expect(displayPath("a\u202eb\u2028c\u0085")).toBe('"a\\u202eb\\u2028c\\u0085"');
});
