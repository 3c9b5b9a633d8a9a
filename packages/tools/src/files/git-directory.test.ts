import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { codeOf, modelText, RUNNING, temporaryDirectory, Workspace } from "../testing.ts";
import { LocalFiles } from "./local-files.ts";

describe.each(["held-directories", "paths"] as const)("git's own files, confined by %s", (confinement) => {
  function workspace() {
    const root = temporaryDirectory();
    mkdirSync(join(root, ".git/hooks"), { recursive: true });
    writeFileSync(join(root, ".git/config"), "[core]\n");
    symlinkSync(".git", join(root, "link"));
    return { root, files: new LocalFiles(root, { confinement }) };
  }

  test.each([
    ".git/hooks/pre-commit",
    ".git",
    ".GIT/hooks/x",
    ".g\u200cit/config",
    "GIT~1/x",
    "new/sub/.git/config",
    "link/hooks/x",
    "link/new/x",
    ".git/new/x",
    "./link/../.git/x",
  ])("are not written: %s", async (path) => {
    const { root, files } = workspace();
    const before = readdirSync(root, { recursive: true });
    await expect(files.write(path, Buffer.from("x"), { expected: null, signal: RUNNING })).rejects.toMatchObject({
      code: "invalid_arguments",
      message: expect.stringContaining("Use git through bash."),
    });
    expect(readdirSync(root, { recursive: true })).toEqual(before);
  });

  test("are read, and files with a like name are written", async () => {
    const { files } = workspace();
    const options = { startLine: 1, maxBytes: 100, signal: RUNNING };
    expect(Buffer.from((await files.read("link/config", options)).bytes).toString()).toBe("[core]\n");
    for (const path of [".gitignore", ".github/ci.yml", "a.git/x", "git"]) {
      expect((await files.write(path, Buffer.from("x"), { expected: null, signal: RUNNING })).path).toBe(path);
    }
  });
});

test("edit_file says at once what it does not do, also for a file that was read", async () => {
  const workspace = new Workspace({ ".git/config": "[core]\n" });
  symlinkSync(".git/config", join(workspace.root, "innocent"));
  expect(await workspace.model("read_file", { path: "innocent" })).toContain("[core]");
  for (const path of [".git/config", "innocent"]) {
    const result = await workspace.call("edit_file", { path, edits: [{ oldText: "[core]", newText: "[x]" }] });
    expect(codeOf(result)).toBe("invalid_arguments");
    expect(modelText(result)).toBe(
      ".git/config belongs to git, whose own files are not edited by hand. Use git through bash.",
    );
  }
  await workspace.call("edit_file", { path: ".git/hooks/x", edits: [{ oldText: "", newText: "x" }] });
  expect(existsSync(join(workspace.root, ".git/hooks"))).toBe(false);
});
