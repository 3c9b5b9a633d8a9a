import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type AgentState, conversationProblem, isThreadId, replay, startAgent, step } from "@loom/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CRASH_RUN_EVENTS } from "./crash-run.testing.ts";
import { stepDigest } from "./step-digest.ts";
import { createThreadStore } from "./thread-store.ts";
import { eventFor, SETTINGS, says } from "./walk.testing.ts";

const AT = "2026-11-20T10:00:00.000Z";
const CRASH_RUN = join(import.meta.dirname, "crash-run.testing.ts");
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const store = () => createThreadStore({ directory });

/** Starts a process that writes a thread; `until` resolves once it has said that so many events are appended. */
function startRun() {
  const child = spawn(process.execPath, [CRASH_RUN, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  let id = "";
  let appended = 0;
  const reached = new Map<number, () => void>();
  lines.on("line", (line) => {
    const [name = "", count = ""] = line.split(" ");
    id = name;
    appended = Number(count);
    reached.get(appended)?.();
  });
  return {
    until: (count: number) => new Promise<void>((resolve) => reached.set(count, resolve)),
    async kill() {
      child.kill("SIGKILL");
      await once(child, "close");
      if (!isThreadId(id)) throw new Error(`not an id: ${id}`);
      return { id, appended, finished: appended === CRASH_RUN_EVENTS };
    },
    stop: () => child.kill("SIGSTOP"),
  };
}

describe("a process that is killed", () => {
  test("leaves a thread that loads, replays, and misses no event whose append had returned", async () => {
    let cutShort = 0;
    for (const count of [1, 2, 7, 8, 9, 30, 31, 77, 150, 333, 700, 1_200]) {
      const run = startRun();
      await run.until(count);
      const { id, appended, finished } = await run.kill();
      if (!finished) cutShort += 1;
      const thread = store().load(id);
      expect(conversationProblem(thread.messages)).toBeUndefined();
      const [recorded] = thread.runs;
      if (recorded === undefined) throw new Error("no run was recorded");
      expect(replay(recorded, stepDigest).mismatch).toBeUndefined();
      // Deltas of the answer in flight may be missing (5 at most here); 5 deltas are one record.
      const known = thread.runs[0]?.entries.length ?? 0;
      const merged = recorded.entries.filter(({ trace }) => trace === undefined).length;
      expect(known + 4 * merged).toBeGreaterThanOrEqual(appended - 5);

      const { writer, thread: opened } = store().open(id);
      const start = { messages: opened.messages, seed: 1 };
      writer.append({ type: "run", at: AT, settings: SETTINGS, ...start, messages: opened.messages.length });
      writer.append({ type: "event", at: AT, event: says("go on") });
      expect(await writer.close()).toBeUndefined();
      expect(conversationProblem(store().load(id).messages)).toBeUndefined();
    }
    expect(cutShort).toBeGreaterThan(6);
  }, 120_000);

  test("does not hold its thread any longer, and a living one does", async () => {
    const run = startRun();
    await run.until(5);
    run.stop();
    const [summary] = store().list();
    if (summary === undefined) throw new Error("nothing was listed");
    expect(() => store().open(summary.id)).toThrow(/^Thread T-.* is open in process \d+\. End that session first/);
    expect(store().load(summary.id).messages.length).toBeGreaterThan(0);
    const { id } = await run.kill();
    await store().open(id).writer.close();
    expect(readdirSync(join(directory, "leases"))).toEqual([]);
  });
});

describe("the lease", () => {
  async function threadWithLease(holder: unknown): Promise<() => void> {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    writer.append({ type: "run", at: AT, settings: SETTINGS, seed: 1, messages: 0 });
    writer.append({ type: "event", at: AT, event: says("hello") });
    await writer.close();
    const text = typeof holder === "string" ? holder : JSON.stringify(holder);
    writeFileSync(join(directory, "leases", `${writer.id}.other.lease`), text);
    return () => void store().open(writer.id);
  }

  test("of a process whose pid now belongs to another is taken over", async () => {
    expect(await threadWithLease({ host: hostname(), pid: process.pid, started: "long-ago" })).not.toThrow();
  });

  test("of another machine counts while it is renewed", async () => {
    const open = await threadWithLease({ host: "elsewhere", pid: 1, started: "x" });
    expect(open).toThrow("is open in process 1 on elsewhere");
  });

  test("that is only half written counts while it is fresh", async () => {
    expect(await threadWithLease('{"host":')).toThrow("is open in");
  });

  test("lets one session of a process in at a time", async () => {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    writer.append({ type: "run", at: AT, settings: SETTINGS, seed: 1, messages: 0 });
    writer.append({ type: "event", at: AT, event: says("hello") });
    expect(() => store().open(writer.id)).toThrow("is open in this process");
    await writer.close();
    const second = store().open(writer.id).writer;
    expect(() => store().open(writer.id)).toThrow("is open in this process");
    await second.close();
  });
});

describe("a disk that takes no more", () => {
  test("is a typed error, leaves the file loadable, and loses nothing", async () => {
    // A limit on the size of files stands in for the full disk: the system answers in the middle of a write.
    const script = `ulimit -f 64; exec "$0" "$1" "$2"`;
    await promisify(execFile)("sh", ["-c", script, process.execPath, CRASH_RUN, directory], { maxBuffer: 1e7 });
    const [summary] = store().list();
    if (summary === undefined) throw new Error("nothing was listed");
    expect(summary.bytes).toBeGreaterThan(20_000);
    expect(summary.bytes).toBeLessThanOrEqual(64 * 1024);
    const thread = store().load(summary.id);
    expect(thread.torn).toBe(false);
    expect(conversationProblem(thread.messages)).toBeUndefined();
  });

  test("gets everything that waited as soon as it takes more", async () => {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    mkdirSync(`${writer.file}.new`);
    writer.append({ type: "run", at: AT, settings: SETTINGS, seed: 1, messages: 0 });
    const problem = writer.append({ type: "event", at: AT, event: says("first") });
    expect(problem).toMatchObject({ code: "thread_not_saved", retryable: true });
    expect(problem?.message).toMatch(/^The thread cannot be saved to .*: the system said E[A-Z]+\./);
    expect(await writer.flush()).toBe(writer.problem);
    rmSync(`${writer.file}.new`, { recursive: true });
    expect(writer.append({ type: "event", at: AT, event: says("second") })).toBeUndefined();
    expect(await writer.close()).toBeUndefined();
    expect(readFileSync(writer.file, "utf8").split("\n")).toHaveLength(5);
  });
});

test("for every sequence of events, the thread replays to the state that was live", async () => {
  const walks = fc.tuple(fc.gen(), fc.integer({ min: 1, max: 60 }));
  await fc.assert(
    fc.asyncProperty(walks, async ([draw, length]) => {
      const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
      writer.append({ type: "run", at: AT, settings: SETTINGS, seed: 3, messages: 0 });
      let state: AgentState = startAgent({ messages: [], seed: 3 }).state;
      for (let n = 0; n < length; n++) {
        const event = n === 0 ? says("begin") : draw(eventFor, state);
        const next = step(state, event, SETTINGS);
        writer.append({ type: "event", at: AT, event });
        state = next.state;
      }
      expect(await writer.close()).toBeUndefined();
      const thread = store().load(writer.id);
      expect(thread.lastState).toEqual(state);
      expect(conversationProblem(thread.messages)).toBeUndefined();
      for (const input of state.context.queued)
        expect(JSON.stringify(thread.messages)).toContain(JSON.stringify(input[0]));
    }),
    { numRuns: 150 },
  );
});
