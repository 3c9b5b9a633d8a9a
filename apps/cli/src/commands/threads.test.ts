import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTempHome, type ScriptedModel, say, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { envFor, PATIENT, runLoom, threadsOf } from "../testing.ts";

let home: TempHome;
let model: ScriptedModel;
let id: string;

beforeAll(async () => {
  home = await createTempHome();
  model = await startScriptedModel({ script: () => say("The parser drops the fooBar\u202e case.") });
  const run = await runLoom(home, ["-p", "why does\u001b[31m parse_input fail?", "--output-format", "json"], {
    env: envFor(model),
  });
  id = JSON.parse(run.stdout).threadId;
});
afterAll(async () => {
  await model.close();
  await home.remove();
});

const loom = async (...args: string[]) => {
  const { code, stdout, stderr } = await runLoom(home, args);
  return { code, stdout, stderr };
};
const listed = async (...args: string[]) => JSON.parse((await loom("list", "--json", ...args)).stdout);

describe("loom threads", PATIENT, () => {
  it("finds what was said, without control characters reaching the terminal", async () => {
    const { code, stdout } = await loom("search", "foobar");
    expect(code).toBe(0);
    expect(stdout).toContain(id);
    expect(stdout).toContain("turn 1, assistant  The parser drops the fooBar‹U+202E› case.");
    for (const control of ["\u202e", "\u001b"]) expect(stdout).not.toContain(control);
    expect(await loom("search", "zzz", "--repository", "none")).toMatchObject({ code: 0 });
    const [hit] = JSON.parse((await loom("search", "parseInput", "--json")).stdout);
    expect(hit).toMatchObject({ threadId: id, turn: 1, role: "user" });
    expect(await loom("search", '"unclosed (AND', "--here")).toMatchObject({ code: 0, stderr: "Nothing was found.\n" });
  });

  it("lists and finds what is here also for somebody who has not signed in to the server", async () => {
    const env = { LOOM_SERVER_URL: "http://127.0.0.1:9" };
    for (const args of [
      ["list", "--all"],
      ["search", "foobar"],
    ]) {
      const { code, stdout, stderr } = await runLoom(home, args, { env });
      expect([code, stdout]).toEqual([0, expect.stringContaining(id)]);
      expect(stderr).toMatch(
        /^There is no token for http:\/\/127\.0\.0\.1:9: run "loom login".* Shown is what is on this machine\.\n$/,
      );
    }
  });

  it("says how far threads are on the server to somebody who has not signed in, and asks for that only to sync", async () => {
    const env = { LOOM_SERVER_URL: "http://127.0.0.1:9" };
    const { code, stdout, stderr } = await runLoom(home, ["sync", "status", "--json"], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ server: env.LOOM_SERVER_URL, pending: 1, succeededAt: null });
    const now = await runLoom(home, ["sync", "now"], { env });
    expect(now).toMatchObject({ code: exitCodeOf("configuration"), stdout: "" });
    expect(now.stderr).toContain("There is no token for http://127.0.0.1:9");
  });

  it("says of what stays here how much it is, where, and what to do", async () => {
    const env = { LOOM_SERVER_URL: "http://127.0.0.1:9" };
    const server = `127.0.0.1-${createHash("sha256").update(env.LOOM_SERVER_URL).digest("hex").slice(0, 12)}`;
    const directory = join(home.stateDir, "loom", "sync", server);
    const synced = { version: 0, digest: "", position: 0, anchor: "", private: false };
    const tooLong = { record: 12, bytes: 15 * 1_048_576 + 1 };
    const lacking = { outputs: ["a".repeat(64), "b".repeat(64)], more: true, isDue: false };
    await mkdir(directory, { recursive: true });
    await writeFile(
      join(directory, "journal.jsonl"),
      `${JSON.stringify({ thread: { id, synced, tooLong, lacking } })}\n`,
    );
    const { code, stdout } = await runLoom(home, ["sync"], { env });
    await rm(directory, { recursive: true });
    expect(code).toBe(0);
    expect(stdout).toContain(
      `${id}: record 12 (line 12 of its file) has 15.1 MiB, and the server takes 15.0 MiB: it and all that follows stay on this machine only. Go on in a new thread`,
    );
    expect(stdout).toContain(
      `${id}: at least 2 long outputs are neither here nor on the server: a machine that has what is missing`,
    );
  });

  it("keeps title, tags, pin, visibility and privacy in the thread's own file", async () => {
    for (const args of [
      ["title", id, "Parser bug"],
      ["tag", id, "bug, urgent"],
      ["tag", id, "urgent", "--undo"],
      ["pin", id],
      ["visibility", id, "team"],
      ["private", id],
    ]) {
      expect(await loom("threads", ...args)).toEqual({ code: 0, stdout: "", stderr: "" });
    }
    const facts = { title: "Parser bug", tags: ["bug"], pinned: true, visibility: "team", private: true };
    expect(await listed()).toMatchObject([{ id, ...facts, totals: { requests: 1 } }]);
    expect(readFileSync(join(threadsOf(home), `${id}.jsonl`), "utf8")).toContain('"visibility":"team"');
    expect(await listed("--tag", "bug", "--pinned", "--visibility", "team", "--since", "1h")).toHaveLength(1);
    expect(await listed("--tag", "other")).toEqual([]);
    expect((await loom("search", "bug")).stdout).toContain("Parser bug");
    expect((await loom("list")).stdout).toContain("Parser bug  [pinned private #bug]");
  });

  it("shows and exports a thread", async () => {
    const { stdout } = await loom("threads", "show", id.slice(-8));
    for (const part of [id, "Parser bug", "── turn 1 ──", "> why does", "drops the fooBar‹U+202E›"]) {
      expect(stdout).toContain(part);
    }
    const file = join(home.path, "export.md");
    expect(await loom("threads", "export", id, "-o", file)).toMatchObject({ code: 0, stdout: "" });
    expect(readFileSync(file, "utf8")).toContain("# Parser bug\n");
    expect(await loom("threads", "export", id, "-o", file)).toMatchObject({ code: exitCodeOf("not_saved") });
    const json = JSON.parse((await loom("threads", "export", id, "--format", "json")).stdout);
    expect(json).toMatchObject({ format: "loom-thread", facts: { id } });
    expect(json.records).toHaveLength(json.facts.version);
  });

  it("goes on in a copy", async () => {
    const run = await runLoom(home, ["resume", id, "--fork", "-p", "and?", "--output-format", "json"], {
      env: envFor(model),
    });
    const { threadId } = JSON.parse(run.stdout);
    expect(threadId).not.toBe(id);
    const [copy] = await listed("--limit", "1");
    expect(copy).toMatchObject({ id: threadId, turns: 2, forkedFrom: { id } });
    expect(await loom("replay", join(threadsOf(home), `${threadId}.jsonl`))).toMatchObject({ code: 0 });
    expect(await loom("threads", "pin", threadId, "--undo")).toMatchObject({ code: 0 });
    expect(await loom("threads", "delete", threadId, "--now")).toMatchObject({ code: 0 });
    expect(await listed()).toHaveLength(1);
    expect(existsSync(join(threadsOf(home), "deleted", `${threadId}.json`))).toBe(true);
  });

  it("deletes into a trash, and cleans it up when its time is over", async () => {
    expect(await loom("threads", "delete", id)).toMatchObject({ code: exitCodeOf("thread") });
    await loom("threads", "pin", id, "--undo");
    expect((await loom("threads", "delete", id)).stderr).toContain(`loom threads restore ${id}`);
    expect(await listed("--all")).toEqual([]);
    expect(await listed("--deleted")).toHaveLength(1);
    const resumed = await runLoom(home, ["resume", id, "-p", "x"], { env: envFor(model) });
    expect(resumed).toMatchObject({ code: exitCodeOf("thread") });
    expect(resumed.stderr).toContain("is in the trash");
    expect((await loom("threads", "gc", "--dry-run")).stdout).toContain("Would be removed: 0 threads");
    const env = { LOOM_THREADS__TRASH_DAYS: "0" };
    expect((await runLoom(home, ["threads", "gc", "--dry-run"], { env })).stdout).toContain(id);
    await loom("threads", "restore", id);
    expect(await listed()).toHaveLength(1);
    await loom("threads", "delete", id);
    expect((await runLoom(home, ["threads", "gc"], { env })).stdout).toContain("Removed: 1 threads");
    expect(existsSync(join(threadsOf(home), `${id}.jsonl`))).toBe(false);
    expect((await loom("search", "parser")).stdout).toBe("");
  });

  it.each([
    [["threads", "title", "T-0192", "x"], "thread", "There is no thread T-0192"],
    [["threads", "title", "x", " "], "usage", "A title is one line"],
    [["threads", "tag", "x", ","], "usage", "There is no tag"],
    [["threads", "visibility", "x", "secret"], "usage", "LEVEL must be one of"],
    [["threads"], "usage", "is not complete"],
    [["list", "--limit", "0"], "usage", "--limit must be"],
    [["search", "x", "--since", "soon"], "usage", "--since must be a time"],
  ] as const)("refuses %j in one sentence", async (args, exit, message) => {
    const { code, stderr } = await loom(...args);
    expect(code).toBe(exitCodeOf(exit));
    expect(stderr).toContain(message);
  });
});
