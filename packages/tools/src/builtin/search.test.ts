import { expect, test } from "vitest";
import { Workspace } from "../testing.ts";

test("the model reads each file once, its lines below it", async () => {
  const workspace = new Workspace({ "a.txt": "foo\nbar\n foo", "b\n.txt": "foo" });
  expect(await workspace.model("search", { pattern: "foo" })).toBe('a.txt\n1\tfoo\n3\t foo\n"b\\n.txt"\n1\tfoo');
  expect(await workspace.model("search", { pattern: "none" })).toBe("(no match)");
});

test("a search that is cut says so", async () => {
  const workspace = new Workspace({ "a.txt": "foo\n".repeat(200) });
  const result = await workspace.call("search", { pattern: "foo" });
  expect(result.display).toEqual({ kind: "search", pattern: "foo", matches: 100, truncated: true });
  expect(await workspace.model("search", { pattern: "foo" })).toContain(
    "[There is more: 100 matching lines are shown.",
  );
});

test("an invalid pattern is answered with the reason", async () => {
  expect(await new Workspace().model("search", { pattern: "a(" })).toMatch(
    /^The search was refused: .*unclosed group\.$/s,
  );
});

test("without ripgrep the result says what it was searched with", async () => {
  const workspace = new Workspace({ "a.txt": "foo" }, { ripgrep: null });
  expect(await workspace.model("search", { pattern: "foo" })).toContain("[ripgrep is missing");
});
