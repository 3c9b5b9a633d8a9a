import { chmodSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@loom/core";
import { expect, test } from "vitest";
import { codeOf, modelText, Workspace } from "../testing.ts";

type EditInput = { oldText: string; newText: string; replaceAll?: boolean };

function edit(workspace: Workspace, path: string, ...edits: EditInput[]) {
  return workspace.call("edit_file", { path, edits });
}

async function readAndEdit(workspace: Workspace, path: string, ...edits: EditInput[]) {
  await workspace.call("read_file", { path });
  return edit(workspace, path, ...edits);
}

test("several edits are made at once, and the change is reported", async () => {
  const workspace = new Workspace({ "src/a.ts": "one\ntwo\nthree\n" });
  const result = await readAndEdit(
    workspace,
    "src/a.ts",
    { oldText: "one", newText: "1" },
    { oldText: "three\n", newText: "" },
  );
  expect(workspace.text("src/a.ts")).toBe("1\ntwo\n");
  expect(modelText(result)).toBe("Edited src/a.ts: 2 replacements.");
  expect(result.changedFiles).toEqual(["src/a.ts"]);
  expect(result.outcome).toMatchObject({ type: "success", changed: true });
  expect(result.display).toEqual({
    kind: "diff",
    path: "src/a.ts",
    created: false,
    added: 1,
    removed: 2,
    diff: "@@ -1,3 +1,2 @@\n-one\n+1\n two\n-three",
  });
});

test("all edits or none", async () => {
  const workspace = new Workspace({ "a.txt": "one\ntwo\n" });
  const result = await readAndEdit(
    workspace,
    "a.txt",
    { oldText: "one", newText: "1" },
    { oldText: "none", newText: "x" },
  );
  expect(codeOf(result)).toBe("target_not_found");
  expect(modelText(result)).toContain("edits[1]: oldText is not in a.txt as the edits before it would leave it.");
  expect(workspace.text("a.txt")).toBe("one\ntwo\n");
  expect(result.changedFiles).toEqual([]);
});

test("a miss shows the nearest lines with their numbers", async () => {
  const workspace = new Workspace({ "a.ts": "function a() {\n  return compute(1);\n}\n" });
  expect(modelText(await readAndEdit(workspace, "a.ts", { oldText: "  return compute(2);", newText: "x" }))).toBe(
    "edits[0]: oldText is not in a.ts. It must match exactly, white space included. Nothing was changed. The nearest lines are:\n" +
      "2\t  return compute(1);",
  );
  expect(modelText(await edit(workspace, "a.ts", { oldText: "\treturn compute(1);", newText: "x" }))).toContain(
    "Only white space or the line breaks differ from these lines:\n2\t  return compute(1);",
  );
  expect(modelText(await edit(workspace, "a.ts", { oldText: "SELECT", newText: "x" }))).toContain(
    "No line of it looks similar.",
  );
});

test("an ambiguous edit shows the places", async () => {
  const workspace = new Workspace({ "a.ts": "x();\ny();\nx();\n" });
  const result = await readAndEdit(workspace, "a.ts", { oldText: "x();", newText: "z();" });
  expect(codeOf(result)).toBe("target_not_found");
  expect(modelText(result)).toMatch(
    /not unique in a\.ts\. Add lines around it, or set replaceAll\..*\n1\tx\(\);\n3\tx\(\);$/s,
  );
  await edit(workspace, "a.ts", { oldText: "x();", newText: "z();", replaceAll: true });
  expect(workspace.text("a.ts")).toBe("z();\ny();\nz();\n");
});

test("an empty oldText creates a file with the directories above it", async () => {
  const workspace = new Workspace();
  const result = await edit(workspace, "a/b/c.txt", { oldText: "", newText: "text\n" });
  expect(modelText(result)).toBe("Created a/b/c.txt.");
  expect(workspace.text("a/b/c.txt")).toBe("text\n");
  expect(result.display).toMatchObject({ kind: "diff", created: true, added: 1 });
  // What the model wrote itself, it need not read.
  await edit(workspace, "a/b/c.txt", { oldText: "text", newText: "more" });
  expect(workspace.text("a/b/c.txt")).toBe("more\n");
});

test("a file with content is not created again, an empty one is filled", async () => {
  const workspace = new Workspace({ "full.txt": "text", "empty.txt": "" });
  const refused = await edit(workspace, "full.txt", { oldText: "", newText: "new" });
  expect(codeOf(refused)).toBe("invalid_arguments");
  expect(modelText(refused)).toContain("full.txt already has content");
  expect(workspace.text("full.txt")).toBe("text");
  expect(codeOf(await edit(workspace, "empty.txt", { oldText: "", newText: "new" }))).toBe("success");
  expect(workspace.text("empty.txt")).toBe("new");
});

test("a file that is not there cannot be changed", async () => {
  const result = await edit(new Workspace(), "none.txt", { oldText: "a", newText: "b" });
  expect(codeOf(result)).toBe("file_not_found");
  expect(modelText(result)).toContain("an empty oldText to create it");
});

test("a file that was never read cannot be edited", async () => {
  const workspace = new Workspace({ "a.txt": "one\n" });
  const result = await edit(workspace, "a.txt", { oldText: "one", newText: "1" });
  expect(codeOf(result)).toBe("stale_file");
  expect(modelText(result)).toBe("a.txt exists and was not read yet. Read it, then edit what it holds now.");
  expect(workspace.text("a.txt")).toBe("one\n");
});

test("a file that changed since the model saw it has to be read again", async () => {
  const workspace = new Workspace({ "a.txt": "one\n" });
  await workspace.call("read_file", { path: "a.txt" });
  await workspace.call("bash", { command: "echo two >> a.txt" });
  const result = await edit(workspace, "a.txt", { oldText: "one", newText: "1" });
  expect(codeOf(result)).toBe("stale_file");
  expect(workspace.text("a.txt")).toBe("one\ntwo\n");
  expect(codeOf(await readAndEdit(workspace, "a.txt", { oldText: "one", newText: "1" }))).toBe("success");
  expect(workspace.text("a.txt")).toBe("1\ntwo\n");
});

test("a file that was only touched has not changed", async () => {
  const workspace = new Workspace({ "a.txt": "one\n" });
  await workspace.call("read_file", { path: "a.txt" });
  workspace.put("a.txt", "one\n");
  expect(codeOf(await edit(workspace, "a.txt", { oldText: "one", newText: "1" }))).toBe("success");
});

test("what the model saw by one name it may edit by another", async () => {
  const workspace = new Workspace({ "a.txt": "one\n" });
  symlinkSync("a.txt", join(workspace.root, "link"));
  await workspace.call("read_file", { path: "link" });
  const result = await edit(workspace, "./a.txt", { oldText: "one", newText: "1" });
  expect(result.changedFiles).toEqual(["a.txt"]);
});

test("the edits of one turn, run in parallel, are all made", async () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index};`);
  const workspace = new Workspace({ "a.txt": `${lines.join("\n")}\n` });
  await workspace.call("read_file", { path: "a.txt" });
  const results = await Promise.all([
    ...lines.map((line, index) => edit(workspace, "a.txt", { oldText: line, newText: `edited ${index}` })),
    workspace.call("read_file", { path: "a.txt" }),
  ]);
  expect(results.map(codeOf)).toEqual(Array(21).fill("success"));
  expect(workspace.text("a.txt")).toBe(lines.map((_, index) => `edited ${index}\n`).join(""));
});

test("CRLF, byte order mark, mode and final line break stay", async () => {
  const workspace = new Workspace({ "a.cs": "\ufeffusing A;\r\nusing B;\r\n" });
  chmodSync(join(workspace.root, "a.cs"), 0o755);
  const result = await readAndEdit(workspace, "a.cs", {
    oldText: "using A;\nusing B;\n",
    newText: "using A;\nusing C;\nusing D;",
  });
  expect(workspace.text("a.cs")).toBe("\ufeffusing A;\r\nusing C;\r\nusing D;\r\n");
  expect(statSync(join(workspace.root, "a.cs")).mode & 0o7777).toBe(0o755);
  expect(modelText(result)).toContain("keeps its final line break");
});

test("binary, too large, outside, and not a file: each is refused", async () => {
  const workspace = new Workspace({
    "a.bin": Buffer.from([1, 0, 2]),
    "big.txt": "x".repeat(10_485_761),
    "d/a.txt": "",
  });
  const change = { oldText: "x", newText: "y" };
  expect(modelText(await edit(workspace, "a.bin", change))).toContain("a.bin is a binary file");
  expect(modelText(await edit(workspace, "big.txt", change))).toContain("larger than 10485760 bytes");
  expect(codeOf(await edit(workspace, "../x", { oldText: "", newText: "y" }))).toBe("path_outside_workspace");
  expect(modelText(await edit(workspace, "d", change))).toContain("d is a directory");
  expect(codeOf(await edit(workspace, "d/a.txt/b", { oldText: "", newText: "y" }))).toBe("io");
});

test("an edit that changes nothing is refused", async () => {
  const workspace = new Workspace({ "a.txt": "one" });
  expect(modelText(await readAndEdit(workspace, "a.txt", { oldText: "one", newText: "one" }))).toContain(
    "are the same",
  );
});

test("a file of 10 MB is edited, and a miss in it answered", async () => {
  const workspace = new Workspace({ "a.txt": `${"a line of the file\n".repeat(500_000)}the last one\n` });
  const miss = await readAndEdit(workspace, "a.txt", { oldText: "the last two", newText: "x" });
  expect(modelText(miss)).toContain("500001\tthe last one");
  expect(codeOf(await edit(workspace, "a.txt", { oldText: "the last one", newText: "x" }))).toBe("success");
  expect(readFileSync(join(workspace.root, "a.txt"), "utf8").endsWith("file\nx\n")).toBe(true);
});

test("a file name with a line break can be created and edited", async () => {
  const workspace = new Workspace();
  expect(modelText(await edit(workspace, "a\nb.txt", { oldText: "", newText: "x" }))).toBe('Created "a\\nb.txt".');
  expect(codeOf(await edit(workspace, "a\nb.txt", { oldText: "x", newText: "y" }))).toBe("success");
  expect(workspace.text("a\nb.txt")).toBe("y");
});

test("an edit that is stopped leaves the file and its directory as they were", async () => {
  const workspace = new Workspace({ "a.txt": "one" });
  await workspace.call("read_file", { path: "a.txt" });
  const result = await workspace.call(
    "edit_file",
    { path: "a.txt", edits: [{ oldText: "one", newText: "two" }] },
    { signal: AbortSignal.abort() },
  );
  expect(codeOf(result)).toBe("interrupted");
  expect(readdirSync(workspace.root)).toEqual(["a.txt"]);
  expect(workspace.text("a.txt")).toBe("one");
  expect(existsSync(join(workspace.root, "b"))).toBe(false);
});

test("a model's usual mistakes in the arguments are named", async () => {
  const workspace = new Workspace({ "a.txt": "one" });
  const call = (input: JsonObject) => workspace.model("edit_file", input);
  expect(await call({ path: "a.txt", edits: [{ old_str: "one", new_str: "two" }] })).toContain(
    "edits[0].oldText: expected string",
  );
  expect(await call({ path: "a.txt", edits: [] })).toContain("edits: ");
  expect(await call({ path: "a.txt", oldText: "one", newText: "two" })).toContain("edits: expected array");
});
