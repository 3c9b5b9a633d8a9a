import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RUNNING, temporaryDirectory, Workspace } from "../testing.ts";
import { LocalFiles } from "./local-files.ts";

async function listed(workspace: Workspace, path = ".", maxResults = 1_000): Promise<string[]> {
  const { entries } = await workspace.files.list(path, { maxResults, signal: RUNNING });
  return entries.map((entry) => entry.path);
}

test("lists files and directories, hidden ones too, in a fixed order", async () => {
  const workspace = new Workspace({ "b.txt": "", "a/z.txt": "", "a/b/c.txt": "", ".github/ci.yml": "" });
  expect(await listed(workspace)).toEqual([".github", ".github/ci.yml", "a", "a/b", "a/b/c.txt", "a/z.txt", "b.txt"]);
});

test("leaves out .git and node_modules at any depth", async () => {
  const workspace = new Workspace({
    ".git/config": "",
    "node_modules/x/i.js": "",
    "p/node_modules/y.js": "",
    "p/a.js": "",
  });
  expect(await listed(workspace)).toEqual(["p", "p/a.js"]);
});

test("keeps the shallow entries where it has to cut, and says so", async () => {
  const workspace = new Workspace({ "a/b/c/deep.txt": "", "a/b/x.txt": "", "z.txt": "" });
  const listing = await workspace.files.list(".", { maxResults: 3, signal: RUNNING });
  expect([listing.entries.map(({ path }) => path), listing.truncated]).toEqual([["a", "a/b", "z.txt"], true]);
  expect((await workspace.files.list(".", { maxResults: 6, signal: RUNNING })).truncated).toBe(false);
});

test("lists below a path, with the paths from the workspace", async () => {
  const workspace = new Workspace({ "a/b/c.txt": "", "x.txt": "" });
  symlinkSync("a/b", join(workspace.root, "link"));
  expect(await listed(workspace, "a")).toEqual(["a/b", "a/b/c.txt"]);
  expect(await listed(workspace, "link")).toEqual(["a/b/c.txt"]);
});

test("shows symlinks and does not walk through them", async () => {
  const workspace = new Workspace({ "a/x.txt": "" });
  symlinkSync("..", join(workspace.root, "a/up"));
  const { entries } = await workspace.files.list(".", { maxResults: 100, signal: RUNNING });
  expect(entries).toContainEqual({ path: "a/up", kind: "symlink" });
  expect(entries).toHaveLength(3);
});

test(".ignore wins over .gitignore, and a deeper file over a shallower one", async () => {
  const workspace = new Workspace({
    ".gitignore": "*.log\n/top.txt\nbuild/\n",
    ".ignore": "!wanted.log\nsecret.txt\n",
    "a.log": "",
    "wanted.log": "",
    "top.txt": "",
    "a/top.txt": "",
    "a/secret.txt": "",
    "a/.gitignore": "!kept.log\n",
    "a/kept.log": "",
    "a/other.log": "",
    "build/x.txt": "",
    "a/build/x.txt": "",
  });
  expect(await listed(workspace)).toEqual([
    ".gitignore",
    ".ignore",
    "a",
    "a/.gitignore",
    "a/kept.log",
    "a/top.txt",
    "wanted.log",
  ]);
});

test("the rules of directories above the one that is listed hold, unless it is ignored itself", async () => {
  const workspace = new Workspace({ ".gitignore": "*.log\ndist/\n", "a/b.log": "", "a/c.txt": "", "dist/x.log": "" });
  expect(await listed(workspace, "a")).toEqual(["a/c.txt"]);
  expect(await listed(workspace, "dist")).toEqual(["dist/x.log"]);
});

test("ignore files above the workspace do not count", async () => {
  const parent = temporaryDirectory();
  writeFileSync(join(parent, ".gitignore"), "*\n");
  mkdirSync(join(parent, "workspace"));
  writeFileSync(join(parent, "workspace/a.txt"), "");
  const files = new LocalFiles(join(parent, "workspace"));
  expect((await files.list(".", { maxResults: 10, signal: RUNNING })).entries).toHaveLength(1);
});

test("agrees with git about which files are ignored", async () => {
  const names = fc.constantFrom("a", "b", "c.log", "d.txt", "e");
  const path = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const pattern = fc
    .record({
      negated: fc.boolean(),
      anchored: fc.boolean(),
      body: fc.oneof(path, fc.constantFrom("*.log", "a/*", "**/b", "e/**", "?", "[ab]")),
      directory: fc.boolean(),
    })
    .map(({ negated, anchored, body, directory }) => {
      return `${negated ? "!" : ""}${anchored ? "/" : ""}${body}${directory ? "/" : ""}`;
    });
  const rules = fc.array(pattern, { maxLength: 4 });
  const workspace = new Workspace();
  const git = (...args: string[]) => execFileSync("git", args, { cwd: workspace.root, encoding: "utf8" });
  git("init", "-q");
  const put = (path: string, content: string) => {
    try {
      workspace.put(path, content);
    } catch {
      // One path is a directory of another, or `a` became a file first.
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(path, { minLength: 1, maxLength: 8 }), rules, rules, async (paths, top, nested) => {
      for (const name of readdirSync(workspace.root)) {
        if (name !== ".git") rmSync(join(workspace.root, name), { recursive: true });
      }
      for (const file of paths) put(file, "");
      put(".gitignore", `${top.join("\n")}\n`);
      if (paths.some((file) => file.startsWith("a/"))) put("a/.gitignore", `${nested.join("\n")}\n`);
      const untracked = git("ls-files", "--others", "--exclude-standard", "-z").split("\0");
      const { entries } = await workspace.files.list(".", { maxResults: 1_000, signal: RUNNING });
      const files = entries.filter(({ kind }) => kind === "file").map((entry) => entry.path);
      expect(files).toEqual(untracked.filter(Boolean).sort());
    }),
    { numRuns: 60 },
  );
});

test("a directory that cannot be entered any more is skipped", async () => {
  const workspace = new Workspace({ "a/x.txt": "" });
  const walking = workspace.files.list(".", { maxResults: 10, signal: RUNNING });
  rmSync(join(workspace.root, "a"), { recursive: true });
  expect((await walking).truncated).toBe(false);
});

test("stops when it is told to", async () => {
  const workspace = new Workspace({ "a/x.txt": "" });
  const listing = workspace.files.list(".", { maxResults: 10, signal: AbortSignal.abort() });
  await expect(listing).rejects.toMatchObject({ code: "interrupted" });
});
