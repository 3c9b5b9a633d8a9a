import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { completed, llm, SETTINGS, says } from "../events.testing.ts";
import { replace } from "../file-watch.testing.ts";
import { OutputStore } from "../output-store.ts";
import type { ThreadRecord } from "../record.ts";
import { createThreadStore } from "../thread-store.ts";
import type { ThreadWriter } from "../thread-writer.ts";
import { indexFileOf, openThreadIndex, type SearchOptions } from "./thread-index.ts";

const NOW = Date.parse("2026-11-20T10:00:00.000Z");
const DAY_MS = 86_400_000;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const store = () => createThreadStore({ directory, now: () => NOW });
const at = (daysAgo: number) => new Date(NOW - daysAgo * DAY_MS).toISOString();

type Talk = { readonly workspace?: string; readonly daysAgo?: number; readonly more?: readonly ThreadRecord[] };

/** A thread in which the person and the model say these things in turn. */
async function talk(lines: readonly string[], { workspace = "/work", daysAgo = 0, more = [] }: Talk = {}) {
  const writer = store().create({ workspace, loomVersion: "1.2.3" });
  say(writer, lines, daysAgo);
  for (const record of more) writer.append(record);
  await writer.close();
  return writer;
}

function say(writer: ThreadWriter, lines: readonly string[], daysAgo = 0, messages = 0) {
  writer.append({ type: "run", at: at(daysAgo), settings: SETTINGS, seed: 1, messages });
  for (const [index, line] of lines.entries()) {
    const event = index % 2 === 0 ? says(line) : llm((index + 1) / 2, completed([{ type: "text", text: line }], 5));
    writer.append({ type: "event", at: at(daysAgo), event });
  }
}

async function withIndex<Result>(work: (index: Awaited<ReturnType<typeof openThreadIndex>>) => Result) {
  const index = await openThreadIndex({ directory, now: () => NOW });
  try {
    return work(index);
  } finally {
    index.close();
  }
}

const found = (query: string, options?: SearchOptions) =>
  withIndex((index) => index.search(query, options).map(({ threadId }) => threadId));

describe("the list", () => {
  test("tells what is known of each thread, newest first", async () => {
    const old = await talk(["fix the parser", "done"], { daysAgo: 3 });
    const young = await talk(["write\ndocs", "ok", "more", "ok"]);
    await store().change(old.id, { title: "Parser", tags: ["bug", "urgent"], pinned: true, visibility: "team" });
    const threads = await withIndex((index) => index.list());
    expect(threads.map(({ id, title, turns }) => [id, title, turns])).toEqual([
      [young.id, "write", 2],
      [old.id, "Parser", 1],
    ]);
    expect(threads[1]).toMatchObject({
      tags: ["bug", "urgent"],
      pinned: true,
      visibility: "team",
      private: false,
      models: ["scripted"],
      totals: { requests: 1, costMicroUsd: 5 },
      version: 6,
      damagedLines: [],
    });
  });

  test("is narrowed by workspace, repository, model, tag, visibility, pin and time", async () => {
    const git = { type: "git", at: at(0), remote: "github.com/acme/app", branch: "main" } as const;
    const tagged = { type: "metadata", at: at(0), tags: ["bug"], pinned: true, visibility: "team" } as const;
    const a = await talk(["one", "1"], { workspace: "/a", more: [git, tagged] });
    const b = await talk(["two"], { workspace: "/b", daysAgo: 9 });
    const ids = (filters: SearchOptions) => withIndex((index) => index.list(filters).map(({ id }) => id));
    expect(await ids({ workspace: "/a" })).toEqual([a.id]);
    expect(await ids({ repository: "acme/app" })).toEqual([a.id]);
    expect(await ids({ repository: "app" })).toEqual([a.id]);
    expect(await ids({ repository: "pp" })).toEqual([]);
    expect(await ids({ repository: "%" })).toEqual([]);
    expect(await ids({ model: "script" })).toEqual([a.id]);
    expect(await ids({ tags: ["bug"] })).toEqual([a.id]);
    expect(await ids({ tags: ["bug", "other"] })).toEqual([]);
    expect(await ids({ visibility: "private" })).toEqual([b.id]);
    expect(await ids({ pinned: true })).toEqual([a.id]);
    expect(await ids({ since: at(1) })).toEqual([a.id]);
    expect(await ids({ until: at(1) })).toEqual([b.id]);
  });

  test("leaves out what is in the trash, and tells it when asked", async () => {
    const { id } = await talk(["secret plan"]);
    await store().change(id, { deleted: true });
    expect(await withIndex((index) => [index.list(), index.search("secret")])).toEqual([[], []]);
    expect(store().list()).toEqual([]);
    const [thread] = await withIndex((index) => index.list({ deleted: true }));
    expect(thread).toMatchObject({ id, deletedAt: at(0) });
    await store().change(id, { deleted: false });
    expect(await found("secret")).toEqual([id]);
    expect(store().list()).toHaveLength(1);
  });
});

describe("a search", () => {
  test("finds what was said by anyone, with turn and highlighted snippet", async () => {
    const { id } = await talk(["hello", "hi", "why does fooBar fail?", "Because parse_input drops the Café."]);
    const hit = (query: string) =>
      withIndex((index) => {
        const [first] = index.search(query);
        return [first?.role, first?.turn, first?.snippet.highlights.map(([a, b]) => first.snippet.text.slice(a, b))];
      });
    expect(await hit("foobar")).toEqual(["user", 2, ["fooBar"]]);
    expect(await hit("foo_bar")).toEqual(["user", 2, ["fooBar"]]);
    expect(await hit("parseInput cafe")).toEqual(["assistant", 2, ["parse_input", "Café"]]);
    expect(await hit("pars")).toEqual(["assistant", 2, ["parse_input"]]);
    expect(await found("nothing like this")).toEqual([]);
    expect(await found("fail -fooBar")).toEqual([]);
    expect(await found('"input drops"')).toEqual([id]);
    expect(await found('"drops input"')).toEqual([]);
  });

  test.each([
    ["二つの文字列を比較する", "文字列"],
    ["二つの文字列を比較する", "字"],
    ["二つの文字列を比較する", "する"],
    ["데이터베이스를 고쳐라", "데이터"],
    ["修复数据库连接", "数据库"],
    ["go to k8s", "go"],
    ["see packages/threads/src/record.ts:12", "threads/src/record.ts"],
    ["naïve Ångström", "angstrom NAIVE"],
    ["שָׁלוֹם עולם", "שלום"],
    ["run `SELECT * FROM users;`", "select * from users;"],
    ['an "open quote', '"open quote'],
  ])("in %j finds %j", async (text, query) => {
    const { id } = await talk([text]);
    await talk(["something else"]);
    expect(await found(query)).toEqual([id]);
  });

  test("prefers what is new where it fits as well, and shows a few places of each thread", async () => {
    const old = await talk(["the cache is cold"], { daysAgo: 300 });
    const young = await talk(["the cache is cold"]);
    expect(await found("cache")).toEqual([young.id, old.id]);
    await talk(Array.from({ length: 20 }, () => "cache"));
    expect(new Set(await found("cache")).size).toBe(3);
  });

  test("finds title, tags, branch, remote and commits; a commit's beginning goes to the commit first", async () => {
    const sha = "0123456789abcdef0123456789abcdef01234567";
    const more: ThreadRecord[] = [
      { type: "git", at: at(0), remote: "github.com/acme/rocket", branch: "feature/booster", commit: "f".repeat(40) },
      { type: "commit", at: at(0), sha, message: "fix(engine): more thrust\n\nbody" },
    ];
    const { id } = await talk(["hello"], { more });
    await store().change(id, { title: "Launch pad", tags: ["space"] });
    const mention = await talk(["look at 0123456"]);
    for (const query of ["launch", "space", "booster", "acme/rocket", "thrust"])
      expect(await found(query)).toEqual([id]);
    expect(await found("0123456")).toEqual([id, mention.id]);
    expect(await found(sha.toUpperCase())).toEqual([id]);
    expect(await found("fffffff")).toEqual([id]);
  });

  test("is narrowed as a list is", async () => {
    const a = await talk(["cache"], { workspace: "/a" });
    await talk(["cache"], { workspace: "/b" });
    expect(await found("cache", { workspace: "/a" })).toEqual([a.id]);
    expect(await found("cache", { until: at(1) })).toEqual([]);
  });

  test("shows long outputs that are kept apart", async () => {
    const text = `needle ${"hay ".repeat(10_000)}`;
    const outcome = { type: "success", content: [{ type: "text", text }], changed: false } as const;
    const event = { type: "tool_completed", callId: "a", outcome } as const;
    const { id } = await talk(["go"], { more: [{ type: "event", at: at(0), event }] });
    const [hit] = await withIndex((index) => index.search("needle"));
    expect(hit).toMatchObject({ threadId: id, role: "tool", turn: 1 });
    expect(hit?.snippet.text).toMatch(/^needle hay/);
  });
});

describe("the index", () => {
  test("hears of long outputs that come after their thread, one by one, and is not read anew for it", async () => {
    const texts = ["needle", "thimble"].map((word) => `${word} ${"hay ".repeat(3_000)}`);
    const outcome = {
      type: "success",
      content: texts.map((text) => ({ type: "text", text }) as const),
      changed: false,
    } as const;
    const event = { type: "tool_completed", callId: "a", outcome } as const;
    const { id, file } = await talk(["go"], { more: [{ type: "event", at: at(0), event }] });
    const outputs = new OutputStore(join(directory, "outputs"));
    const kept = texts.map((text) => outputs.fileOf(outputs.put(text).sha256));
    for (const path of kept) renameSync(path, `${path}.away`);
    const { mtimeMs } = statSync(file);
    const hits = async () => [await found("needle"), await found("thimble"), await found("lost")];
    expect(await hits()).toEqual([[], [], [id]]);
    renameSync(`${kept[1]}.away`, `${kept[1]}`);
    expect(await hits()).toEqual([[], [id], [id]]);
    renameSync(`${kept[0]}.away`, `${kept[0]}`);
    expect(await hits()).toEqual([[id], [id], []]);
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
    const database = new DatabaseSync(indexFileOf(directory));
    expect(database.prepare("SELECT count(*) AS count FROM awaited").get()).toEqual({ count: 0 });
    database.close();
  });

  test("hears of a long output that was damaged, when it is mended, and of one that could not be opened for a while", async () => {
    const text = `needle ${"hay ".repeat(3_000)}`;
    const outcome = { type: "success", content: [{ type: "text", text }], changed: false } as const;
    const event = { type: "tool_completed", callId: "a", outcome } as const;
    const { id, file } = await talk(["go"], { more: [{ type: "event", at: at(0), event }] });
    const outputs = new OutputStore(join(directory, "outputs"));
    const kept = outputs.fileOf(outputs.put(text).sha256);
    const awaited = () => {
      const database = new DatabaseSync(indexFileOf(directory));
      const { count } = database.prepare("SELECT count(*) AS count FROM awaited").get() ?? {};
      database.close();
      return count;
    };
    for (const isGoneFirst of [false, true]) {
      rmSync(indexFileOf(directory), { force: true });
      if (isGoneFirst) rmSync(kept);
      else writeFileSync(kept, "torn");
      expect([await found("needle"), awaited()]).toEqual([[], 1]);
      writeFileSync(kept, "torn");
      expect([await found("needle"), awaited()]).toEqual([[], 1]);
      outputs.put(text);
      // As when a process has too many files open.
      const restore = replace({
        openSync:
          (original) =>
          (...args) => {
            if (args[0] === file) throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
            return original(...args);
          },
      });
      try {
        expect([await found("needle"), awaited()]).toEqual([[], 1]);
      } finally {
        restore();
      }
      expect([await found("needle"), awaited()]).toEqual([[id], 0]);
    }
  });

  test.each(['"../../../etc/hosts"', '["NAME"]', "1"])("awaits no output that is named %s", async (name) => {
    const outcome = {
      type: "success",
      content: [{ type: "text", text: "hay ".repeat(3_000) }],
      changed: false,
    } as const;
    const event = { type: "tool_completed", callId: "a", outcome } as const;
    const { id, file } = await talk(["go"], { more: [{ type: "event", at: at(0), event }] });
    const text = readFileSync(file, "utf8");
    const named = (_: string, sha256: string) => `"sha256":${name.replace("NAME", sha256)}`;
    writeFileSync(file, text.replace(/"sha256":"([0-9a-f]{64})"/, named));
    expect(await found("go")).toEqual([id]);
    const database = new DatabaseSync(indexFileOf(directory));
    expect(database.prepare("SELECT count(*) AS count FROM awaited").get()).toEqual({ count: 0 });
    database.close();
  });

  test("follows the files: what is appended, rewritten and removed", async () => {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    say(writer, ["apple"]);
    const index = await openThreadIndex({ directory });
    const count = (query: string) => index.search(query).length;
    expect(count("apple")).toBe(1);
    writer.append({ type: "event", at: at(0), event: llm(1, completed([{ type: "text", text: "pear" }])) });
    await writer.close();
    expect([count("apple"), count("pear")]).toEqual([1, 1]);
    writeFileSync(writer.file, readFileSync(writer.file, "utf8").replaceAll("apple", "grape"));
    expect([count("apple"), count("grape"), count("pear")]).toEqual([0, 1, 1]);
    rmSync(writer.file);
    expect([index.list().length, count("pear")]).toEqual([0, 0]);
    index.close();
  });

  test.each(["deleted", "garbage", "cut"])("that is %s is made anew", async (how) => {
    const { id } = await talk(["apple"]);
    expect(await found("apple")).toEqual([id]);
    const file = indexFileOf(directory);
    if (how === "deleted") rmSync(file);
    if (how === "garbage") writeFileSync(file, "x".repeat(10_000));
    if (how === "cut") writeFileSync(file, readFileSync(file).subarray(0, 5_000));
    expect(await found("apple")).toEqual([id]);
  });

  test("is kept in memory where there is no place for it", async () => {
    const { id } = await talk(["apple"]);
    writeFileSync(join(directory, "derived"), "in the way");
    expect(await found("apple")).toEqual([id]);
  });

  test("of another version is made anew", async () => {
    const { id } = await talk(["apple"]);
    expect(await found("apple")).toEqual([id]);
    const database = new DatabaseSync(indexFileOf(directory));
    database.exec("DROP TABLE entry; PRAGMA user_version = 99");
    database.close();
    expect(await found("apple")).toEqual([id]);
  });

  test("reads the rest of a thread that is damaged in the middle, and says where", async () => {
    const { id, file } = await talk(["apple", "pear", "plum", "fig"]);
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(
      file,
      lines.with(3, '{"type":"event","ev').with(4, '{"type":"event","event":{"type":"llm_event"}}').join("\n"),
    );
    appendFileSync(file, '{"type":"event","torn');
    const [thread] = await withIndex((index) => index.list());
    expect(thread).toMatchObject({ id, damagedLines: [4, 5] });
    expect([await found("apple"), await found("pear"), await found("fig")]).toEqual([[id], [], [id]]);
  });

  test("is used by two processes' worth of readers at once", async () => {
    await talk(["apple"]);
    const [first, second] = await Promise.all([openThreadIndex({ directory }), openThreadIndex({ directory })]);
    await talk(["apple pie"]);
    expect([first.search("apple").length, second.search("apple").length]).toEqual([2, 2]);
    first.close();
    second.close();
  });
});
