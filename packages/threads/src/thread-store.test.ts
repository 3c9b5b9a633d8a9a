import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentEvent, isThreadId, replay, startAgent, step, traceStep } from "@loom/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadThread } from "./conversation.ts";
import { call, completed, llm, SETTINGS, says } from "./events.testing.ts";
import { replace } from "./file-watch.testing.ts";
import { stepDigest } from "./step-digest.ts";
import { createThreadStore } from "./thread-store.ts";
import type { ThreadWriter } from "./thread-writer.ts";

const AT = "2026-11-20T10:00:00.000Z";
let home: string;
let directory: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "loom-"));
  directory = join(home, "loom", "threads");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const store = () => createThreadStore({ directory });
const create = (workspace = "/work") => store().create({ workspace, loomVersion: "1.2.3" });

/** One run of the machine, written down as a session does. */
function record(writer: ThreadWriter, events: readonly AgentEvent[], messages = startAgent({ messages: [], seed: 7 })) {
  let { state } = messages;
  writer.append({ type: "run", at: AT, settings: SETTINGS, seed: 7, messages: state.context.messages.length });
  for (const event of events) {
    const next = step(state, event, SETTINGS);
    writer.append({ type: "event", at: AT, event, trace: traceStep(state, next, stepDigest) });
    state = next.state;
  }
  return state;
}

async function saved(events: readonly AgentEvent[], workspace?: string): Promise<ThreadWriter> {
  const writer = create(workspace);
  record(writer, events);
  await writer.close();
  return writer;
}

describe("a new thread", () => {
  test("has no file until somebody speaks in it", async () => {
    const writer = create();
    writer.append({ type: "run", at: AT, settings: SETTINGS, seed: 7, messages: 0 });
    expect(await writer.close()).toBeUndefined();
    expect(store().list()).toEqual([]);
    expect(() => readdirSync(directory)).toThrow("ENOENT");
  });

  test("is a file only its owner can read, in a directory only its owner can enter", async () => {
    const { file, id } = await saved([says("hello")]);
    expect(isThreadId(id)).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test("is on disk as soon as an event that matters was appended, without waiting for anything", () => {
    const writer = create();
    record(writer, [says("hello")]);
    expect(store().load(writer.id).messages).toEqual([{ role: "user", content: [{ type: "text", text: "hello" }] }]);
  });

  test("is one line of JSON per record, and many deltas are one record", async () => {
    const deltas = Array.from({ length: 1_000 }, () => llm(1, { type: "text_delta", text: "ab" }));
    const { file } = await saved([says("hello"), ...deltas, llm(1, completed([{ type: "text", text: "abab" }]))]);
    const records = readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records.map(({ type, event }) => event?.event?.type ?? event?.type ?? type)).toEqual([
      "thread",
      "run",
      "user_input",
      "text_delta",
      "completed",
    ]);
    expect(records[3].event.event.text).toBe("ab".repeat(1_000));
  });
});

describe("a saved thread", () => {
  test("is loaded with its conversation, usage, cost, commits and title", async () => {
    const writer = create();
    record(writer, [says("hello"), llm(1, completed([{ type: "text", text: "hi" }], 42))]);
    writer.append({ type: "commit", at: AT, sha: "abc", message: "feat: x" });
    writer.append({ type: "title", at: AT, title: "Greetings" });
    await writer.close();
    const thread = store().load(writer.id);
    expect(thread.header).toMatchObject({ id: writer.id, workspace: "/work", loomVersion: "1.2.3" });
    expect(thread.messages.at(-1)).toEqual({ role: "assistant", content: [{ type: "text", text: "hi" }] });
    expect(thread.totals).toMatchObject({ requests: 1, costMicroUsd: 42, unpricedRequests: 0 });
    expect(thread.totals.usage).toMatchObject({ inputTokens: 10, outputTokens: 2 });
    expect(thread.commits).toMatchObject([{ sha: "abc" }]);
    expect(thread.facts.title).toBe("Greetings");
    expect(thread.interrupted).toBe(false);
  });

  test("counts usage that was saved as a total only once", async () => {
    const writer = create();
    record(writer, [says("hello"), llm(1, completed([], 42))]);
    const { totals } = store().load(writer.id);
    writer.append({ type: "usage", at: AT, totals: { ...totals, requests: 5, costMicroUsd: 50 } });
    await writer.close();
    expect(store().load(writer.id).totals).toMatchObject({ requests: 5, costMicroUsd: 50 });
  });

  test("goes on where it was, in a second run", async () => {
    const first = await saved([says("hello"), llm(1, completed([{ type: "text", text: "hi" }]))]);
    const { thread, writer } = store().open(first.id);
    const live = record(writer, [says("and now?")], startAgent({ messages: thread.messages, seed: 7 }));
    await writer.close();
    const again = store().load(first.id);
    expect(again.runs).toHaveLength(2);
    expect(again.messages).toEqual(live.context.messages);
    expect(again.messages).toHaveLength(3);
  });

  test("is refused for writing with a sentence where the disk is full, and can be read", async () => {
    const { id } = await saved([says("hello"), llm(1, completed([{ type: "text", text: "hi" }]))]);
    const full = () => {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    const restore = replace({ writeFileSync: () => full });
    try {
      expect(() => store().open(id)).toThrow(
        expect.objectContaining({
          code: "thread_not_saved",
          message: expect.stringMatching(/there is no space left.*try again/),
        }),
      );
      expect(store().load(id).messages).toHaveLength(2);
    } finally {
      restore();
    }
    await store().open(id).writer.close();
  });

  test("answers calls that were open when the process died, as interrupted", async () => {
    const { id } = await saved([says("go"), llm(1, completed([call("a"), call("b")]))]);
    const thread = store().load(id);
    expect(thread.interrupted).toBe(true);
    expect(thread.messages.at(-1)).toMatchObject({
      role: "user",
      content: [
        { type: "tool_result", toolCallId: "a", isError: true },
        { type: "tool_result", toolCallId: "b", isError: true },
      ],
    });
  });

  test("keeps input that was still waiting when the session was shut down", async () => {
    const { id } = await saved([says("go"), says("and this too"), { type: "shutdown_requested" }]);
    expect(JSON.stringify(store().load(id).messages)).toContain("and this too");
  });
});

describe("a damaged file", () => {
  test("loses its torn last record, on loading and before the next append", async () => {
    const { id, file } = await saved([says("hello")]);
    const whole = readFileSync(file);
    appendFileSync(file, '{"type":"event","at":"2026-11-2');
    expect(store().load(id)).toMatchObject({ torn: true, goodBytes: whole.length });
    const { writer } = store().open(id);
    writer.append({ type: "title", at: AT, title: "after" });
    await writer.close();
    expect(readFileSync(file, "utf8").slice(whole.length)).toBe(`{"type":"title","at":"${AT}","title":"after"}\n`);
  });

  test("loses a tail of zeros, as a power cut leaves behind", async () => {
    const { id, file } = await saved([says("hello")]);
    appendFileSync(file, Buffer.alloc(512));
    expect(store().load(id).messages).toHaveLength(1);
  });

  test("is refused with file and line when the damage is not at its end", async () => {
    const { id, file } = await saved([says("hello"), llm(1, completed([]))]);
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, lines.with(2, '{"type":"event","ev').join("\n"));
    expect(() => store().load(id)).toThrow(
      `The thread is damaged: line 3 of ${file} is not a record of a thread. Repair that line to go on with it; loom threads show reads the rest.`,
    );
    expect(() => store().open(id)).toThrow("line 3");
    writeFileSync(file, lines.with(2, '{"type":"event","event":{"type":"llm_event","requestId":1}}').join("\n"));
    expect(() => store().load(id)).toThrow("line 3");
    writeFileSync(file, lines.toSpliced(1, 1).join("\n"));
    expect(() => store().load(id)).toThrow("line 2");
  });

  test("is refused with its line where a bit of its text is another", async () => {
    const { id, file } = await saved([says("hello wörld"), llm(1, completed([{ type: "text", text: "hi" }]))]);
    const bytes = readFileSync(file);
    const at = bytes.indexOf("ö");
    writeFileSync(file, bytes.with(at, (bytes[at] ?? 0) ^ 0x40));
    expect(() => store().load(id)).toThrow("line 3");
    expect(() => store().open(id)).toThrow("line 3");
    // Where it still reads well, the digests of the replay tell.
    writeFileSync(file, bytes.with(bytes.indexOf("hello"), "j".charCodeAt(0)));
    const [run] = store().load(id).runs;
    if (run === undefined) throw new Error("no run was recorded");
    const { mismatch } = replay(run, stepDigest);
    expect(run.lines[mismatch?.index ?? -1]).toBe(3);
  });

  test("is refused when messages are missing from its middle", async () => {
    const { id, file } = await saved([says("hello"), llm(1, completed([{ type: "text", text: "hi" }]))]);
    const { thread, writer } = store().open(id);
    record(writer, [says("more")], startAgent({ messages: thread.messages, seed: 7 }));
    await writer.close();
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, lines.toSpliced(3, 1).join("\n"));
    expect(() => store().load(id)).toThrow("goes on from 2 messages where the file holds 1");
  });

  test("of a newer format is refused, and a record of a kind not known yet is passed over", async () => {
    const { id, file } = await saved([says("hello")]);
    const text = readFileSync(file, "utf8");
    appendFileSync(file, '{"type":"hologram","at":"?"}\n');
    expect(store().load(id)).toMatchObject({ torn: false });
    writeFileSync(file, text.replace('"v":2', '"v":3'));
    expect(() => store().load(id)).toThrow("newer Loom (format 3)");
  });
});

describe("finding threads", () => {
  test("lists the threads that were used last first, with what the person said", async () => {
    const old = await saved([says("old")], "/a");
    const renewed = await saved([says("one\u202e\n\ttwo \u001b[31m")], "/b");
    const newest = await saved([says("x".repeat(200))], "/a");
    utimesSync(old.file, 1_000, 1_000);
    utimesSync(renewed.file, 3_000, 3_000);
    utimesSync(newest.file, 2_000, 2_000);
    writeFileSync(join(directory, "T-0192f0c1-2f3b-7c4d-8e5f-0123456789ab.jsonl"), "garbage");
    writeFileSync(join(directory, "notes.txt"), "mine");
    expect(
      store()
        .list()
        .map(({ id, title }) => [id, title]),
    ).toEqual([
      [renewed.id, "one two [31m"],
      [newest.id, `${"x".repeat(79)}…`],
      [old.id, "old"],
    ]);
    expect(store().list({ limit: 1 })).toHaveLength(1);
    expect(
      store()
        .list({ workspace: "/a" })
        .map(({ id }) => id),
    ).toEqual([newest.id, old.id]);
  });

  test("a new title or tag does not make an old thread the newest", async () => {
    const old = await saved([says("old")]);
    const newest = await saved([says("new")]);
    utimesSync(old.file, 1_000, 1_000);
    await store().change(old.id, { title: "Another", tags: ["x"] });
    expect(
      store()
        .list()
        .map(({ id, title }) => [id, title]),
    ).toEqual([
      [newest.id, "new"],
      [old.id, "Another"],
    ]);
  });

  test("finds the newest title and the totals of a thread far larger than what is read of it", async () => {
    const writer = create();
    writer.append({ type: "title", at: AT, title: "first" });
    const output = completed([{ type: "text", text: "word ".repeat(100_000) }], 9);
    record(writer, [says("go"), llm(1, output)]);
    expect(store().list()).toMatchObject([{ title: "first" }]);
    writer.append({ type: "title", at: AT, title: "second" });
    writer.append({ type: "usage", at: AT, totals: store().load(writer.id).totals });
    await writer.close();
    expect(store().list()).toMatchObject([{ title: "second", totals: { costMicroUsd: 9 } }]);
  });

  test("resolves the beginning or the end of an id", async () => {
    const { id } = await saved([says("a")]);
    const other = await saved([says("b")]);
    expect(store().resolve(id)).toBe(id);
    expect(store().resolve(id.slice(2).toUpperCase())).toBe(id);
    expect(store().resolve(id.slice(-8))).toBe(id);
    expect(store().resolve(` ${other.id} `)).toBe(other.id);
    expect(() => store().resolve("T-")).toThrow("There is no thread T-");
    expect(() => store().resolve(id.slice(0, 6))).toThrow("2 threads match");
    expect(() => store().resolve("zzzz")).toThrow("There is no thread zzzz");
  });

  test("finds nothing where nothing was ever saved", () => {
    expect(store().list()).toEqual([]);
    expect(() => store().resolve("0192")).toThrow("There is no thread 0192");
    expect(() => store().open("T-0192f0c1-2f3b-7c4d-8e5f-0123456789ab")).toThrow("There is no thread");
    expect(() => loadThread(join(directory, "x.jsonl"))).toThrow("There is no thread at");
  });
});
