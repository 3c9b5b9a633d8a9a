import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Workspace } from "../testing.ts";

test("the model reads one entry a line, marked by kind", async () => {
  const workspace = new Workspace({ "src/a.ts": "", "b.txt": "" });
  symlinkSync("b.txt", join(workspace.root, "link"));
  expect(await workspace.model("list_files", {})).toBe("b.txt\nlink@\nsrc/\nsrc/a.ts");
  expect(await workspace.model("list_files", { path: "src" })).toBe("src/a.ts");
});

test("a list that is cut says so", async () => {
  const workspace = new Workspace(Object.fromEntries(Array.from({ length: 1_005 }, (_, index) => [`f${index}`, ""])));
  const lines = (await workspace.model("list_files", {})).split("\n");
  expect(lines).toHaveLength(1_001);
  expect(lines.at(-1)).toBe(
    "[There is more: only 1000 entries are listed, the shallow ones first. List a subdirectory.]",
  );
  expect(await workspace.model("list_files", { maxResults: 1 })).toContain("only 1 entries");
});

test("a name with control characters takes one line and cannot pass for another entry", async () => {
  const workspace = new Workspace({ "a\nb\u001b[2J.txt": "" });
  expect(await workspace.model("list_files", {})).toBe('"a\\nb\\u001b[2J.txt"');
});

test("an empty directory and a file are told apart", async () => {
  const workspace = new Workspace({ "a.txt": "" });
  expect(await new Workspace().model("list_files", {})).toBe("(nothing here)");
  expect(await workspace.model("list_files", { path: "a.txt" })).toBe(
    "a.txt is not a directory. Use read_file for a file.",
  );
});
