import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGitRepository, type GitRepository } from "@loom/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGitProbe } from "./git-facts.ts";

let repository: GitRepository;
beforeEach(async () => {
  repository = await createGitRepository({ "a.txt": "one\n" });
});
afterEach(() => repository.remove());

const probe = (workspace = repository.path) => createGitProbe({ workspace, environment: process.env });

test("branch, remote without credentials, and commit are those that git tells", async () => {
  await repository.git("remote", "add", "upstream", "https://example.com/other.git");
  await repository.git("remote", "add", "origin", "https://ada:s3cret@example.com/acme/app.git");
  await repository.git("checkout", "-q", "-b", "feature/x");
  const commit = (await repository.git("rev-parse", "HEAD")).trim();
  const facts = { branch: "feature/x", remote: "example.com/acme/app", commit };
  expect(probe().facts()).toEqual(facts);
  await repository.git("pack-refs", "--all");
  expect(probe().facts()).toEqual(facts);
  await repository.git("checkout", "-q", "--detach");
  expect(probe().facts()).toEqual({ remote: facts.remote, commit });
});

test("a linked worktree has a branch of its own and the repository's remote", async () => {
  await repository.git("remote", "add", "origin", "git@example.com:acme/app.git");
  const tree = join(mkdtempSync(join(tmpdir(), "loom-")), "tree");
  await repository.git("worktree", "add", "-q", "-b", "side", tree);
  expect(probe(tree).facts()).toMatchObject({ branch: "side", remote: "example.com/acme/app" });
  rmSync(join(tree, ".."), { recursive: true });
});

test("a tracked file that differs makes it dirty, a new one does not", async () => {
  expect(await probe().isDirty()).toBe(false);
  await repository.write({ "new.txt": "x" });
  expect(await probe().isDirty()).toBe(false);
  await repository.write({ "a.txt": "two\n" });
  expect(await probe().isDirty()).toBe(true);
});

test("outside of a repository nothing is known, and nothing is asked", async () => {
  const directory = mkdtempSync(join(tmpdir(), "loom-"));
  expect(probe(directory).facts()).toEqual({});
  expect(await probe(directory).isDirty()).toBeUndefined();
  rmSync(directory, { recursive: true });
});

test("a repository without a commit has a branch and no more", () => {
  const directory = mkdtempSync(join(tmpdir(), "loom-"));
  execFileSync("git", ["init", "-q", "-b", "main", directory]);
  expect(probe(directory).facts()).toEqual({ branch: "main" });
  rmSync(directory, { recursive: true });
});
