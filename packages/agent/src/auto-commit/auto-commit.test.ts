import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGitRepository } from "@loom/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answer, modelOf } from "../session.testing.ts";
import { begin, Fixture, tool } from "./fixture.testing.ts";
import { changeAndCommit } from "./one-round.testing.ts";

let fixture: Fixture;

beforeEach(async () => {
  fixture = await Fixture.create();
});
afterEach(() => fixture[Symbol.asyncDispose]());

describe("what the agent changed", () => {
  test("is one commit: edited, new, deleted and renamed files", async () => {
    const { does, reports } = fixture.agent();
    await does(() => {
      fixture.write("a.txt", "two\n");
      mkdirSync(fixture.at("new/deep"), { recursive: true });
      fixture.write("new/deep/d.txt", "new\n");
      unlinkSync(fixture.at("b.txt"));
      execFileSync("git", ["mv", "dir/c.txt", "dir/e.txt"], { cwd: fixture.repository.path });
      symlinkSync("a.txt", fixture.at("link"));
    });
    const paths = ["a.txt", "b.txt", "dir/c.txt", "dir/e.txt", "link", "new/deep/d.txt"];
    expect(await fixture.committed()).toEqual(paths);
    expect(await fixture.status()).toBe("");
    expect(reports).toMatchObject([{ type: "commit", sha: (await fixture.git("rev-parse", "HEAD")).trim(), paths }]);
    expect(await fixture.git("log", "-1", "--format=%an %s")).toBe("Ada Example chore: update a.txt and 5 more\n");
  });

  test("has any name that a file may have", async () => {
    const names = [
      "new\nline",
      'quo"te',
      "spa ce ",
      "-dash",
      ":(top)magic",
      "gl*b",
      "tüb\u00e9",
      "a\ttab",
      "back\\slash",
    ];
    const { does, reports } = fixture.agent();
    await does(() => {
      for (const name of names) fixture.write(name, name);
      const bytes = Buffer.concat([Buffer.from(`${fixture.repository.path}/`), Buffer.from([0xff, 0xfe])]);
      writeFileSync(bytes, "not UTF-8");
    });
    expect(await fixture.status()).toBe("");
    expect((await fixture.committed()).length).toBe(names.length + 1);
    expect(reports[0]).toMatchObject({ paths: expect.arrayContaining(["new?line", "gl*b"]) });
  });

  test("is left alone where it is ignored, a repository of its own, or no change at all", async () => {
    const { does, reports } = fixture.agent();
    await does(() => {
      fixture.write("debug.log", "x");
      execFileSync("git", ["init", "--quiet", "inner"], { cwd: fixture.repository.path });
      fixture.write("inner/file", "x");
      fixture.write("a.txt", "one\n");
    });
    expect(reports).toEqual([]);
    expect(await fixture.commits()).toBe(1);
  });

  test("in a workspace below the root is committed without what is above", async () => {
    const { does } = fixture.agent({ workspace: fixture.at("dir") });
    await does(() => {
      fixture.write("a.txt", "two\n");
      fixture.write("dir/c.txt", "two\n");
    }, ["c.txt"]);
    expect(await fixture.committed()).toEqual(["dir/c.txt"]);
    expect(await fixture.status()).toBe(" M a.txt\n");
  });

  test("begins the history of a repository without commits", async () => {
    await using empty = await Fixture.create({});
    empty.write("mine.txt", "the person's\n");
    const { does, reports } = empty.agent();
    await does(() => empty.write("a.txt", "one\n"));
    expect(reports).toMatchObject([{ type: "commit", paths: ["a.txt"] }]);
    expect(await empty.committed()).toEqual(["a.txt"]);
    expect(await empty.status()).toBe("?? mine.txt\n");
  });

  test("is committed in a linked worktree and in a repository with SHA-256", async () => {
    const tree = join(fixture.home.path, "tree");
    await fixture.git("worktree", "add", "--quiet", "-b", "side", tree);
    expect(await changeAndCommit(tree, fixture.home.env)).toMatchObject({
      reports: [{ type: "commit", paths: ["a.txt"] }],
    });
    expect(await fixture.git("log", "-1", "--format=%s", "side")).toBe("chore: update a.txt\n");
    expect(await fixture.git("-C", tree, "status", "--porcelain")).toBe("");

    const modern = join(fixture.home.path, "modern");
    execFileSync("git", ["init", "--quiet", "--object-format=sha256", modern], { env: fixture.home.env });
    writeFileSync(
      join(modern, ".git", "config"),
      "[user]\nname = A\nemail = a@x\n[extensions]\nobjectFormat = sha256\n[core]\nrepositoryFormatVersion = 1\n",
    );
    expect(await changeAndCommit(modern, fixture.home.env)).toMatchObject({
      reports: [{ type: "commit", paths: ["a.txt"] }],
    });
  });

  test("inside of a submodule is left to the submodule", async () => {
    await using other = await createGitRepository({ "x.txt": "one\n" });
    await fixture.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.path, "sub");
    await fixture.git("commit", "--quiet", "-m", "add a submodule");
    const { does, reports } = fixture.agent();
    await does(() => fixture.write("sub/x.txt", "two\n"));
    expect(reports).toEqual([]);
    expect(await fixture.commits()).toBe(2);
  });

  test("while a tool only reads is nothing", async () => {
    const { hook, reports } = fixture.agent();
    expect(await hook.afterTools([tool([])], (report) => reports.push(report))).toBe(false);
    expect(reports).toEqual([]);
  });
});

describe("what the person has not committed", () => {
  test("stays as it is, staged or not, new or deleted", async () => {
    fixture.write("a.txt", "staged\n");
    await fixture.git("add", "a.txt");
    fixture.write("a.txt", "staged and more\n");
    unlinkSync(fixture.at("b.txt"));
    fixture.write("mine.txt", "new\n");
    fixture.write("intended.txt", "new\n");
    await fixture.git("add", "--intent-to-add", "intended.txt");
    const before = { status: await fixture.status(), index: await fixture.git("ls-files", "--stage", "a.txt") };
    const { does, notices } = fixture.agent();
    await does(() => {
      fixture.write("dir/c.txt", "two\n");
      fixture.write("agents.txt", "new\n");
    });
    expect(await fixture.committed()).toEqual(["agents.txt", "dir/c.txt"]);
    expect(await fixture.status()).toBe(before.status);
    expect(await fixture.git("ls-files", "--stage", "a.txt")).toBe(before.index);
    expect(notices()).toEqual([]);
  });

  test("is not committed with what the agent does to the same file, and the person is told once", async () => {
    fixture.write("a.txt", "mine\n");
    const { does, notices } = fixture.agent();
    await does(() => {
      fixture.write("a.txt", "mine, and the agent's\n");
      fixture.write("b.txt", "two\n");
    }, ["a.txt", "b.txt"]);
    await does(() => fixture.write("a.txt", "mine, and more of the agent's\n"));
    expect(await fixture.committed()).toEqual(["b.txt"]);
    expect(await fixture.status()).toBe(" M a.txt\n");
    expect(notices()).toEqual(["Not committed, because changes of yours were already in it: a.txt."]);
  });

  test("is not committed if it is made while the agent edits other files", async () => {
    const { does } = fixture.agent();
    await does(() => {
      fixture.write("a.txt", "the person, in an editor\n");
      fixture.write("b.txt", "the agent\n");
    }, ["b.txt"]);
    expect(await fixture.committed()).toEqual(["b.txt"]);
    expect(await fixture.status()).toBe(" M a.txt\n");
  });

  test("is not committed if it is made while the message is written", async () => {
    const model = modelOf(() => {
      fixture.write("a.txt", "the person's next thought\n");
      return [[answer([{ type: "text", text: "feat: two" }])]];
    });
    const { does } = fixture.agent({ model });
    await does(() => fixture.write("a.txt", "two\n"));
    expect(await fixture.git("show", "HEAD:a.txt")).toBe("two\n");
    expect(await fixture.status()).toBe(" M a.txt\n");
    expect(readFileSync(fixture.at("a.txt"), "utf8")).toBe("the person's next thought\n");
  });

  test("survives a commit of theirs in the same moment", async () => {
    const model = modelOf(() => {
      fixture.write("b.txt", "the person's\n");
      execFileSync("git", ["commit", "--quiet", "--all", "-m", "theirs"], {
        cwd: fixture.repository.path,
        env: identity,
      });
      return [[answer([{ type: "text", text: "feat: two" }])]];
    });
    const identity = {
      ...fixture.home.env,
      GIT_AUTHOR_NAME: "P",
      GIT_AUTHOR_EMAIL: "p@x",
      GIT_COMMITTER_NAME: "P",
      GIT_COMMITTER_EMAIL: "p@x",
    };
    const { does } = fixture.agent({ model });
    await does(() => fixture.write("new.txt", "two\n"));
    expect(await fixture.git("log", "--format=%s")).toBe("feat: two\ntheirs\nchore: first commit\n");
    expect(await fixture.git("show", "HEAD:b.txt")).toBe("the person's\n");
    expect(await fixture.committed()).toEqual(["new.txt"]);
    expect(await fixture.status()).toBe("");
  });
});

test("two sessions in one workspace commit what each of them changed", async () => {
  const [first, second] = [fixture.agent(), fixture.agent()];
  for (let n = 0; n < 5; n++) {
    await Promise.all([begin(first.hook), begin(second.hook)]);
    fixture.write("a.txt", `first ${n}\n`);
    fixture.write("b.txt", `second ${n}\n`);
    await Promise.all([
      first.hook.afterTools([tool(["a.txt"])], (report) => first.reports.push(report)),
      second.hook.afterTools([tool(["b.txt"])], (report) => second.reports.push(report)),
    ]);
    await Promise.all([first.hook.settled(), second.hook.settled()]);
  }
  const files = async (sha: string) => (await fixture.git("show", "--name-only", "--format=", sha)).trim();
  expect([...first.notices(), ...second.notices()]).toEqual([]);
  expect(await Promise.all(first.shas().map(files))).toEqual(Array(5).fill("a.txt"));
  expect(await Promise.all(second.shas().map(files))).toEqual(Array(5).fill("b.txt"));
  expect(await fixture.commits()).toBe(11);
  expect(await fixture.status()).toBe("");
  expect(await fixture.git("show", "HEAD:a.txt", "HEAD:b.txt")).toBe("first 4\nsecond 4\n");
});

test("changes that other sessions commit first are not committed a second time", async () => {
  const { does, reports } = fixture.agent();
  await does(async () => {
    fixture.write("a.txt", "two\n");
    await fixture.git("commit", "--quiet", "--all", "-m", "feat: committed by the agent itself");
    fixture.write("b.txt", "two\n");
  });
  expect(reports).toMatchObject([{ type: "commit", paths: ["b.txt"] }]);
  expect(await fixture.commits()).toBe(3);
});
