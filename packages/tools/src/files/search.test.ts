import { chmodSync, copyFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RUNNING, temporaryDirectory, Workspace } from "../testing.ts";
import { LocalFiles } from "./local-files.ts";
import type { SearchQuery } from "./operations.ts";
import { findRipgrep } from "./search-ripgrep.ts";

const QUERY = { path: ".", glob: undefined, caseSensitive: true, maxResults: 100, signal: RUNNING };

describe.each([["ripgrep", {}] as const, ["javascript", { ripgrep: null }] as const])(
  "a search with %s",
  (engine, options) => {
    async function search(workspace: Workspace, query: Partial<SearchQuery> & { pattern: string }) {
      const files = new LocalFiles(workspace.root, options);
      try {
        return await files.search({ ...QUERY, ...query });
      } finally {
        files.close();
      }
    }

    async function found(workspace: Workspace, query: Partial<SearchQuery> & { pattern: string }): Promise<string[]> {
      const { matches } = await search(workspace, query);
      return matches.map(({ path, line, text }) => `${path}:${line}:${text}`);
    }

    test("gives path, line and text, sorted", async () => {
      const workspace = new Workspace({ "b.txt": "x\nfoo 1\nfoo 2\r\n", "a/c.txt": "foo 3" });
      expect(await found(workspace, { pattern: "fo+ \\d" })).toEqual([
        "a/c.txt:1:foo 3",
        "b.txt:2:foo 1",
        "b.txt:3:foo 2",
      ]);
      expect((await search(workspace, { pattern: "foo" })).engine).toBe(engine);
    });

    test("looks at the case of letters only if it should", async () => {
      const workspace = new Workspace({ "a.txt": "Foo\nfoo\n" });
      expect(await found(workspace, { pattern: "foo" })).toHaveLength(1);
      expect(await found(workspace, { pattern: "foo", caseSensitive: false })).toHaveLength(2);
    });

    test("takes a pattern that looks like an option for a pattern", async () => {
      const workspace = new Workspace({ "a.txt": "--files\n" });
      expect(await found(workspace, { pattern: "--files" })).toEqual(["a.txt:1:--files"]);
    });

    test("leaves out ignored files, .git and node_modules, and looks into hidden ones", async () => {
      const workspace = new Workspace({
        ".gitignore": "*.log\ndist/\n",
        ".env": "foo",
        "a.log": "foo",
        "dist/x.txt": "foo",
        ".git/x": "foo",
        "node_modules/x": "foo",
        "p/.ignore": "no.txt",
        "p/no.txt": "foo",
      });
      expect(await found(workspace, { pattern: "foo" })).toEqual([".env:1:foo"]);
    });

    test("the rules of directories above the searched one hold, unless it is ignored itself", async () => {
      const workspace = new Workspace({
        ".gitignore": "*.log\ndist/\n",
        "p/.gitignore": "/q/local.txt",
        "p/q/a.log": "foo",
        "p/q/a.txt": "foo",
        "p/q/local.txt": "foo",
        "p/q/dist/x.txt": "foo",
        "dist/y.log": "foo",
      });
      expect(await found(workspace, { pattern: "foo", path: "p/q" })).toEqual(["p/q/a.txt:1:foo"]);
      expect(await found(workspace, { pattern: "foo", path: "dist" })).toEqual(["dist/y.log:1:foo"]);
    });

    test("searches one file, also an ignored one and through a symlink", async () => {
      const workspace = new Workspace({ ".gitignore": "*.log", "a.log": "foo", "b.log": "foo" });
      symlinkSync("b.log", join(workspace.root, "link"));
      expect(await found(workspace, { pattern: "foo", path: "a.log" })).toEqual(["a.log:1:foo"]);
      expect(await found(workspace, { pattern: "foo", path: "link" })).toEqual(["b.log:1:foo"]);
    });

    test("restricts to a glob", async () => {
      const workspace = new Workspace({ "a.ts": "foo", "b.js": "foo", "src/c.ts": "foo", "src/d/e.ts": "foo" });
      expect(await found(workspace, { pattern: "foo", glob: "*.ts" })).toHaveLength(3);
      expect(await found(workspace, { pattern: "foo", glob: "src/*.ts" })).toEqual(["src/c.ts:1:foo"]);
    });

    test("stops at the wanted number of lines and says that there are more", async () => {
      const workspace = new Workspace({ "a.txt": "foo\n".repeat(50), "b.txt": "foo\n" });
      const result = await search(workspace, { pattern: "foo", maxResults: 10 });
      expect([result.matches.length, result.truncated]).toEqual([10, true]);
      expect((await search(workspace, { pattern: "foo", maxResults: 51 })).truncated).toBe(false);
    });

    test("skips binary files", async () => {
      const workspace = new Workspace({ "a.bin": Buffer.from("foo\0bar foo\n"), "b.txt": "foo" });
      expect(await found(workspace, { pattern: "foo" })).toEqual(["b.txt:1:foo"]);
    });

    test("finds lines of a file with a byte order mark", async () => {
      const workspace = new Workspace({ "a.cs": "\ufeffusing System;\nusing X;\n" });
      expect(await found(workspace, { pattern: "^using" })).toEqual(["a.cs:1:using System;", "a.cs:2:using X;"]);
    });

    test("finds lines that are not UTF-8", async () => {
      const workspace = new Workspace({ "a.txt": Buffer.from("caf\xe9 foo\n", "latin1") });
      expect(await found(workspace, { pattern: "foo" })).toEqual(["a.txt:1:caf\ufffd foo"]);
    });

    test("shows the part of a long line that matches", async () => {
      const workspace = new Workspace({ "a.js": `${"é".repeat(5_000)}foo${"y".repeat(5_000)}` });
      const [match] = await found(workspace, { pattern: "foo" });
      expect(match?.length).toBeLessThan(400);
      expect(match).toMatch(/^a\.js:1:…é+fooy+…$/);
    });

    test("survives a line of many megabytes", async () => {
      const workspace = new Workspace({ "a.js": `${"x".repeat(6_000_000)}foo`, "b.js": "foo" });
      expect(await found(workspace, { pattern: "^foo" })).toEqual(["b.js:1:foo"]);
      const { matches, truncated } = await search(workspace, { pattern: "foo" });
      // Without ripgrep the line is shown; with it, that there is one.
      expect(matches.length + Number(truncated)).toBe(2);
    });

    test("finds files whose names hold a line break", async () => {
      const workspace = new Workspace({ "a\nb.txt": "foo" });
      expect(await found(workspace, { pattern: "foo" })).toEqual(["a\nb.txt:1:foo"]);
    });

    test.each(["fo(", "[", "\\p{Nothing}", "a{2,1}"])("refuses %s with the reason", async (pattern) => {
      const workspace = new Workspace({ "a.txt": "foo" });
      await expect(search(workspace, { pattern })).rejects.toMatchObject({
        code: "invalid_arguments",
        message: expect.stringMatching(/^The search was refused: .+\.$/s),
      });
    });

    test("says what is not there", async () => {
      await expect(search(new Workspace(), { pattern: "x", path: "none" })).rejects.toMatchObject({
        code: "file_not_found",
      });
      await expect(search(new Workspace(), { pattern: "x", path: ".." })).rejects.toMatchObject({
        code: "path_outside_workspace",
      });
    });

    test("stops when it is told to", async () => {
      const workspace = new Workspace({ "a.txt": "foo" });
      await expect(search(workspace, { pattern: "x", signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: "interrupted",
      });
    });
  },
);

test("a pattern that would take for ever does not, without ripgrep", async () => {
  const workspace = new Workspace({ "a.txt": `${"a".repeat(60)}!` }, { ripgrep: null });
  await expect(workspace.files.search({ ...QUERY, pattern: "^(a|a)*$" })).rejects.toMatchObject({ code: "timeout" });
});

test("a ripgrep that does not run is done without", async () => {
  for (const ripgrep of ["/nonexistent/rg", "/etc/passwd"]) {
    const workspace = new Workspace({ "a.txt": "foo" }, { ripgrep });
    const { matches, engine } = await workspace.files.search({ ...QUERY, pattern: "foo" });
    expect([matches.length, engine]).toEqual([1, "javascript"]);
  }
});

test("a line that ripgrep reports is shown only if the workspace's own file has it there", async () => {
  const message = (path: string, text: string, offset: number) =>
    JSON.stringify({
      type: "match",
      data: {
        path: { text: path },
        lines: { text },
        line_number: 1,
        absolute_offset: offset,
        submatches: [{ match: { text: "x" }, start: 0, end: 1 }],
      },
    });
  const end = JSON.stringify({ type: "end", data: {} });
  const reported = [
    message("./a.txt", "true\n", 0),
    message("./a.txt", "secret\n", 0),
    message("./a.txt", "true\n", 1),
    end,
    message("./link/secret.txt", "secret\n", 0),
    end,
    message("../outside/secret.txt", "secret\n", 0),
    end,
    message("./gone.txt", "secret\n", 0),
    end,
  ];
  const outside = temporaryDirectory();
  writeFileSync(join(outside, "secret.txt"), "secret\n");
  const ripgrep = join(outside, "rg");
  writeFileSync(ripgrep, `#!/bin/sh\ncat <<'END'\n${reported.join("\n")}\nEND\n`, { mode: 0o755 });
  const workspace = new Workspace({ "a.txt": "true\n" }, { ripgrep });
  symlinkSync(outside, join(workspace.root, "link"));
  const { matches } = await workspace.files.search({ ...QUERY, pattern: "x" });
  expect(matches).toEqual([{ path: "a.txt", line: 1, text: "true" }]);
});

test("ripgrep comes with Loom and is executable", async () => {
  const path = await findRipgrep();
  expect(path).toMatch(/rg(\.exe)?$/);
  const copy = join(temporaryDirectory(), "rg");
  copyFileSync(path ?? "", copy);
  chmodSync(copy, 0o755);
  const workspace = new Workspace({ "a.txt": "foo" }, { ripgrep: copy });
  expect((await workspace.files.search({ ...QUERY, pattern: "foo" })).matches).toHaveLength(1);
});
