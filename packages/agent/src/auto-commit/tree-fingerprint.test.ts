import { chmodSync, mkdirSync, readFileSync, renameSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Fixture } from "./fixture.testing.ts";
import { locateRepository } from "./repository.ts";
import { fingerprintOf } from "./tree-fingerprint.ts";

let fixture: Fixture;

beforeEach(async () => {
  fixture = await Fixture.create();
});
afterEach(() => fixture[Symbol.asyncDispose]());

async function fingerprint(below = "."): Promise<string | undefined> {
  const environment = fixture.home.env;
  const repository = await locateRepository({ directory: join(fixture.repository.path, below), environment });
  if (repository === undefined || typeof repository === "string") throw new Error("There is no repository.");
  return fingerprintOf(repository, "main");
}

/** Once nothing in the tree is as new as the moment: a file that was just written has none. */
async function settled(below?: string): Promise<string> {
  return vi.waitUntil(() => fingerprint(below), { timeout: 10_000, interval: 10 });
}

describe("the fingerprint of a working tree", () => {
  test("stays the same while nothing is written, whatever is read", async () => {
    const before = await settled();
    readFileSync(fixture.at("a.txt"));
    await fixture.git("log", "-1");
    expect(await fingerprint()).toBe(before);
  });

  test.each<[string, () => unknown]>([
    ["a file is written", () => fixture.write("a.txt", "two\n")],
    [
      "a file is written with its old size and time",
      () => {
        fixture.write("a.txt", "two\n");
        utimesSync(fixture.at("a.txt"), 1, 1);
      },
    ],
    ["a file is made", () => fixture.write("dir/new.txt", "")],
    ["a file is removed", () => unlinkSync(fixture.at("b.txt"))],
    ["a file is moved over another", () => renameSync(fixture.at("a.txt"), fixture.at("b.txt"))],
    ["a file becomes a program", () => chmodSync(fixture.at("a.txt"), 0o755)],
    ["git is told to ignore more", () => fixture.write(".git/info/exclude", "*.txt\n")],
    ["the person ignores more everywhere", () => writeFileSync(join(fixture.home.path, ".gitconfig"), "[core]\n")],
    ["something is staged", () => fixture.git("rm", "--cached", "-q", "a.txt")],
    ["something is committed", () => fixture.git("commit", "-q", "--allow-empty", "-m", "empty")],
    ["the branch is switched", () => fixture.git("checkout", "-q", "-b", "other")],
  ])("is another one, or none, after %s", async (_what, change) => {
    const before = await settled();
    await change();
    expect(await fingerprint()).not.toBe(before);
    expect(await settled()).not.toBe(before);
  });

  test("is none for what was written this moment, since it could be written again without a new time", async () => {
    const stop = performance.now() + 5_000;
    let fresh: string | undefined = "";
    while (fresh !== undefined && performance.now() < stop) {
      fixture.write("a.txt", "now\n");
      fresh = await fingerprint();
    }
    expect(fresh).toBeUndefined();
  });

  test("knows what is ignored above the workspace", async () => {
    const before = await settled("dir");
    fixture.write(".gitignore", "");
    expect(await settled("dir")).not.toBe(before);
  });

  test("is none for a large tree, and in a linked working tree", async () => {
    await fixture.git("worktree", "add", "-q", fixture.at("linked"));
    await settled();
    expect(await fingerprint("linked")).toBeUndefined();
    mkdirSync(fixture.at("many"));
    for (let count = 0; count < 985; count++) fixture.write(`many/${count}`, "");
    // Time has passed: it is the rest of the tree that makes it too many.
    await settled("many");
    expect(await fingerprint()).toBeUndefined();
  });
});

test("after rounds that changed nothing, an edit of the person's is still the person's", async () => {
  const { does, reports } = fixture.agent();
  await settled();
  for (const _ of ["git looks", "and again, knowing the branch", "nobody has to"]) await does(() => undefined);
  fixture.write("b.txt", "the person's\n");
  await does(() => fixture.write("a.txt", "the agent's\n"));
  await does(() => fixture.write("dir/c.txt", "the agent's\n"));
  expect(reports).toMatchObject([{ paths: ["a.txt"] }, { paths: ["dir/c.txt"] }]);
  expect(await fixture.status()).toBe(" M b.txt\n");
});
