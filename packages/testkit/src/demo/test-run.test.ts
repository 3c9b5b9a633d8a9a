import { expect, test } from "vitest";
import { readTestRun } from "./test-run.ts";

const SPEC = `✔ fine (1.5ms)
✖ items that fill (all) need no more (1.1ms)
ℹ tests 2
ℹ fail 1

✖ failing tests:

test at test/paginate.test.js:8:1
✖ items that fill (all) need no more (1.1ms)
  AssertionError [ERR_ASSERTION]: 3 !== 2
`;

const TAP = `TAP version 13
# Subtest: fine
ok 1 - fine
# Subtest: items that fill (all) need no more
not ok 2 - items that fill (all) need no more
  ---
  location: '/home/ada/project/test/paginate.test.js:8:1'
  ...
# fail 1
`;

test.each([
  ["spec", SPEC],
  ["TAP", TAP],
])("a failure is found in %s output", (_, output) => {
  expect(readTestRun(output)).toEqual({
    type: "failed",
    file: "test/paginate.test.js",
    title: "items that fill (all) need no more",
  });
});

test.each([["ℹ tests 2\nℹ pass 2\nℹ fail 0\n"], ["1..2\n# tests 2\n# fail 0\n"]])("a pass is a pass: %j", (output) => {
  expect(readTestRun(output)).toEqual({ type: "passed" });
});

test("anything else is unclear", () => {
  expect(readTestRun("npm error code ENOENT\nsh: node: not found")).toEqual({ type: "unclear" });
});
