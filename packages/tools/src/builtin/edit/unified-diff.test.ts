import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../testing.ts";
import { unifiedDiff } from "./unified-diff.ts";

test("shows the changed lines with three lines around them", () => {
  const lines = Array.from({ length: 20 }, (_, index) => `${index + 1}`);
  const before = `${lines.join("\n")}\n`;
  const after = before.replace("\n10\n", "\nten\nmore\n");
  expect(unifiedDiff(before, after)).toEqual({
    diff: "@@ -7,7 +7,8 @@\n 7\n 8\n 9\n-10\n+ten\n+more\n 11\n 12\n 13",
    added: 2,
    removed: 1,
  });
});

test("patch(1) turns one text into the other with it", () => {
  const line = fc.constantFrom("a", "b", "c", "d", "");
  const text = fc.array(line, { maxLength: 25 }).map((lines) => lines.map((each) => `${each}\n`).join(""));
  const directory = temporaryDirectory();
  fc.assert(
    fc.property(text, text, fc.boolean(), (before, after, cut) => {
      const target = cut ? after.replace(/\n$/, "") : after;
      fc.pre(before !== target && before !== "" && target !== "");
      const { diff } = unifiedDiff(before, target);
      writeFileSync(join(directory, "file"), before);
      const input = `--- file\n+++ file\n${diff}\n`;
      execFileSync("git", ["apply", "--unidiff-zero", "--whitespace=nowarn"], { cwd: directory, input });
      expect(execFileSync("cat", ["file"], { cwd: directory }).toString()).toBe(target);
    }),
    { numRuns: 80 },
  );
});

test("a new file is all addition, a text that did not change has no diff", () => {
  expect(unifiedDiff("", "a\nb\n")).toEqual({ diff: "@@ -0,0 +1,2 @@\n+a\n+b", added: 2, removed: 0 });
  expect(unifiedDiff("a\n", "a\n")).toEqual({ diff: "", added: 0, removed: 0 });
});

test("a long diff is cut, its counts are not", () => {
  const { diff, added } = unifiedDiff("", "x\n".repeat(5_000));
  expect(diff.split("\n").length).toBeLessThan(210);
  expect(added).toBe(5_000);
});

test("texts with nothing in common and many lines are one change", () => {
  const text = (prefix: string) => Array.from({ length: 50_000 }, (_, index) => `${prefix}${index}\n`).join("");
  expect(unifiedDiff(text("a"), text("b"))).toMatchObject({ added: 50_000, removed: 50_000 });
});
