import { chmodSync, mkdirSync, readFileSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { LlmRequest } from "@loom/core";
import { runProcess } from "@loom/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answer, modelOf } from "../session.testing.ts";
import type { HookReport } from "../session-types.ts";
import { createAutoCommit } from "./create-auto-commit.ts";
import { begin, Fixture, tool } from "./fixture.testing.ts";

let fixture: Fixture;

beforeEach(async () => {
  fixture = await Fixture.create();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const says = (text: string) => () => [[answer([{ type: "text", text }])]];

describe("changes that could not be committed", () => {
  test("by a round that was stopped go into the next commit", async () => {
    const { does, hook } = fixture.agent();
    await begin(hook);
    fixture.write("a.txt", "half done\n");
    await hook.afterFailedTools([tool("unknown")]);
    expect(await fixture.commits()).toBe(1);
    await does(() => fixture.write("b.txt", "two\n"), ["b.txt"]);
    expect(await fixture.committed()).toEqual(["a.txt", "b.txt"]);
  });

  test("are the person's as soon as the person goes on with them", async () => {
    const { does, hook } = fixture.agent();
    await begin(hook);
    fixture.write("a.txt", "half done\n");
    await hook.afterFailedTools([tool("unknown")]);
    fixture.write("a.txt", "done by the person\n");
    await does(() => fixture.write("b.txt", "two\n"));
    expect(await fixture.committed()).toEqual(["b.txt"]);
    expect(await fixture.status()).toBe(" M a.txt\n");
  });

  test("because a hook refused, are told with its last line, and committed when it accepts", async () => {
    fixture.hookScript(
      "pre-commit",
      'echo checking; printf "\\033[31mlint: a.txt is wrong\\033[0m\\n\\n"; test ! -e refuse',
    );
    fixture.write("refuse", "");
    const { does, notices } = fixture.agent();
    await does(() => fixture.write("a.txt", "two\n"));
    expect(notices()).toEqual(["The agent's changes are not committed: git refused: lint: a.txt is wrong."]);
    expect(await fixture.commits()).toBe(1);
    unlinkSync(fixture.at("refuse"));
    await does(() => fixture.write("b.txt", "two\n"));
    expect(await fixture.committed()).toEqual(["a.txt", "b.txt"]);
  });

  test.each([
    ["no branch is checked out (HEAD is detached)", () => fixture.git("checkout", "--quiet", "--detach")],
    ["a merge is in progress", async () => fixture.write(".git/MERGE_HEAD", await fixture.git("rev-parse", "HEAD"))],
    ["a rebase is in progress", () => mkdirSync(fixture.at(".git/rebase-merge"))],
    ["a bisection is in progress", () => fixture.write(".git/BISECT_LOG", "")],
    [
      "git does not know who you are (set user.name and user.email)",
      () => fixture.git("config", "--unset", "user.email"),
    ],
  ])("because %s, are told once", async (reason, arrange) => {
    await arrange();
    const head = await fixture.git("rev-parse", "HEAD");
    const { does, notices } = fixture.agent();
    await does(() => fixture.write("a.txt", "two\n"));
    await does(() => fixture.write("b.txt", "two\n"));
    expect(notices()).toEqual([`The agent's changes are not committed: ${reason}.`]);
    expect(await fixture.git("rev-parse", "HEAD")).toBe(head);
  });

  test("because another git holds the index, are committed once it lets go, or later", async () => {
    fixture.write(".git/index.lock", "");
    const { does, notices } = fixture.agent();
    await does(() => fixture.write("a.txt", "two\n"));
    expect(notices()).toEqual(["The agent's changes are not committed: another git process holds the index."]);
    unlinkSync(fixture.at(".git/index.lock"));
    await does(() => fixture.write("b.txt", "two\n"));
    expect(await fixture.committed()).toEqual(["a.txt", "b.txt"]);
  });

  test("because they are more than a person would commit at once, are left to the person", async () => {
    const { does, notices } = fixture.agent();
    await does(() => {
      mkdirSync(fixture.at("vendor"));
      for (let n = 0; n < 1_001; n++) fixture.write(`vendor/${n}`, "");
    });
    expect(notices()).toEqual([
      "The agent's changes are not committed: one step changed 1001 files (0 MiB); look at them, and at what git should ignore.",
    ]);
    await does(() => fixture.write("a.txt", "two\n"));
    expect(await fixture.committed()).toEqual(["a.txt"]);
  });
});

describe("without a repository to write to", () => {
  test.each([
    ["there is none", () => rmSync(fixture.at(".git"), { recursive: true })],
    ["it is a broken one", () => fixture.write(".git/HEAD", "nonsense")],
  ])("nothing happens where %s", async (_, arrange) => {
    arrange();
    const { does, shas } = fixture.agent();
    await does(() => fixture.write("a.txt", "two\n"));
    expect(shas()).toEqual([]);
  });

  test("nothing happens where it is read-only", async () => {
    const child = [process.execPath, join(import.meta.dirname, "one-round.testing.ts"), fixture.repository.path];
    const asRoot = process.getuid?.() === 0;
    if (!asRoot)
      for (const name of [".git", ".git/HEAD", ".git/objects"])
        chmodSync(fixture.at(name), name === ".git/HEAD" ? 0o444 : 0o555);
    // Modes do not bind root; a read-only mount does. It takes a right that not every container has.
    const script = 'mount --bind "$0/.git" "$0/.git" && mount -o remount,bind,ro "$0/.git" || exit 77; exec "$@"';
    const [command = "", ...args] = asRoot
      ? ["unshare", "--mount", "sh", "-c", script, fixture.repository.path, ...child]
      : child;
    const { code, stdout } = await runProcess(command, args, { env: fixture.home.env });
    if (!asRoot) chmodSync(fixture.at(".git"), 0o755);
    if (code !== 77 && stdout !== "") expect(JSON.parse(stdout)).toEqual({ acted: false, reports: [] });
    expect(await fixture.commits()).toBe(1);
  });

  test("nothing happens where git is missing", async () => {
    const hook = createAutoCommit({ workspace: fixture.repository.path, environment: { PATH: fixture.home.path } });
    await begin(hook);
    fixture.write("a.txt", "two\n");
    const reports: HookReport[] = [];
    expect(await hook.afterTools([tool("unknown")], (report) => reports.push(report))).toBe(false);
    expect(reports).toEqual([]);
  });
});

describe("the repository's hooks", () => {
  test("may change what is committed, and the index agrees afterwards", async () => {
    fixture.hookScript("pre-commit", "echo formatted > a.txt && git add a.txt");
    fixture.hookScript("commit-msg", 'echo "Ticket: 7" >> "$1"');
    const { does } = fixture.agent();
    await does(() => fixture.write("a.txt", "two\n"));
    expect(await fixture.git("show", "HEAD:a.txt")).toBe("formatted\n");
    expect(await fixture.git("log", "-1", "--format=%B")).toContain("Ticket: 7");
    expect(await fixture.status()).toBe("");
  });

  test("see no keys, no terminal and no input", async () => {
    fixture.hookScript("pre-commit", 'cat; env > "$HOME/hook-environment"');
    const hook = createAutoCommit({
      workspace: fixture.repository.path,
      environment: { ...fixture.home.env, OPENAI_API_KEY: "canary" },
    });
    await begin(hook);
    fixture.write("a.txt", "two\n");
    await hook.afterTools([tool("unknown")], () => {});
    await hook.settled();
    expect(await fixture.commits()).toBe(2);
    const seen = readFileSync(join(fixture.home.path, "hook-environment"), "utf8");
    expect(seen).not.toContain("canary");
    expect(seen).toContain("GIT_TERMINAL_PROMPT=0");
  });

  test("that take too long are named, and stopped", async () => {
    fixture.hookScript("commit-msg", "exec sleep 1000");
    const { does, notices } = fixture.agent({ commitDeadlineMs: 300 });
    await does(() => fixture.write("a.txt", "two\n"));
    expect(notices()).toEqual([
      "The agent's changes are not committed: a git hook (commit-msg in .git/hooks) took longer than 0.3 s and was stopped.",
    ]);
    expect(await fixture.commits()).toBe(1);
  });

  test("that hang do not hold up somebody who wants to leave, and can tidy up", async () => {
    fixture.hookScript(
      "pre-commit",
      `trap 'touch "$HOME/tidied"; exit 1' INT; touch "$HOME/begun"; while :; do sleep 0.05; done`,
    );
    const { hook, reports } = fixture.agent();
    await begin(hook);
    fixture.write("a.txt", "two\n");
    await hook.afterTools([tool("unknown")], (report) => reports.push(report));
    await hook.settled({ hurry: true });
    expect(readFileSync(join(fixture.home.path, "tidied"), "utf8")).toBe("");
    expect(await fixture.commits()).toBe(1);
    expect(reports).toHaveLength(1);
  });
});

describe("the message", () => {
  test("is written by the small model, from the diff", async () => {
    const model = modelOf(says("feat(a): say two\n\nOne was not enough."));
    const { does, reports } = fixture.agent({ model });
    await does(() => fixture.write("a.txt", "two\n"));
    expect(await fixture.git("log", "-1", "--format=%B")).toBe("feat(a): say two\n\nOne was not enough.\n\n");
    expect(model.requests[0]).toMatchObject({ model: "fast", tools: [] });
    expect(model.requests[0]?.system).toContain("commit message");
    expect(promptOf(model.requests[0])).toMatch(
      /^ a\.txt \| 2 \+-\n 1 file changed.*\n\ndiff --git a\/a\.txt b\/a\.txt\n/s,
    );
    expect(reports.map(({ type }) => type)).toEqual(["usage", "commit"]);
  });

  test("sees no more than 32 KiB of the diff, the statistics first", async () => {
    const model = modelOf(says("feat: much"));
    const { does } = fixture.agent({ model });
    await does(() => fixture.write("big.txt", "line of text\n".repeat(100_000)));
    const prompt = promptOf(model.requests[0]);
    expect(Buffer.byteLength(prompt)).toBeLessThan(33 * 1024);
    expect(prompt).toMatch(/^ big\.txt \| 100000 \++\n/);
    expect(prompt).toMatch(/\n\[cut here: the diff is longer than 32 KiB; the statistics are complete\]$/);
    expect(await fixture.git("log", "-1", "--format=%s")).toBe("feat: much\n");
  });

  test.each([
    ["fails", modelOf()],
    ["says something else", modelOf(says("Sorry, I cannot do that."))],
    [
      "never answers",
      modelOf(() => ({
        async *[Symbol.asyncIterator]() {
          yield await new Promise<never>(() => {});
        },
      })),
    ],
  ])("is made of the paths where the model %s", async (_, model) => {
    const { does } = fixture.agent({ model, messageDeadlineMs: 50 });
    await does(() => fixture.write("a.txt", "two\n"));
    expect(await fixture.git("log", "-1", "--format=%s")).toBe("chore: update a.txt\n");
  });

  test("is not waited for by somebody who wants to leave", async () => {
    const model = modelOf(() => ({
      async *[Symbol.asyncIterator]() {
        yield await new Promise<never>(() => {});
      },
    }));
    const { hook } = fixture.agent({ model, messageDeadlineMs: 600_000 });
    await begin(hook);
    fixture.write("a.txt", "two\n");
    expect(await hook.afterTools([tool("unknown")], () => {})).toBe(true);
    await hook.settled({ hurry: true });
    expect(await fixture.commits()).toBe(2);
  });
});

test("a kill in the middle of a commit leaves the repository and the work as they were", async () => {
  fixture.hookScript("pre-commit", 'touch "$HOME/begun"; kill -9 $PPID; sleep 60');
  const { does, notices } = fixture.agent();
  await does(() => fixture.write("a.txt", "two\n"));
  expect(notices()).toHaveLength(1);
  expect(await fixture.commits()).toBe(1);
  expect(await fixture.status()).toBe(" M a.txt\n");
  await fixture.git("fsck", "--strict");
});

function promptOf(request: LlmRequest | undefined): string {
  const block = request?.messages[0]?.content[0];
  return block?.type === "text" ? block.text : "";
}
