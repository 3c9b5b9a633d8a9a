import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conversationProblem, type Message, replay, type ThreadId } from "@loom/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { countTraffic } from "./file-watch.testing.ts";
import { TurnWriter } from "./long-thread.testing.ts";
import { CHECKPOINT_BYTES } from "./resume.ts";
import { stepDigest } from "./step-digest.ts";
import { createThreadStore, type OpenedThread } from "./thread-store.ts";
import { WINDOW_UNITS } from "./window.ts";

const MEGABYTE = 1024 * 1024;
/** Below the bound above which an output is kept apart: the thread's own file is what has to be long. */
const OUTPUT: readonly string[] = Array(8).fill("0123456789abcde\n".repeat(500));
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const store = () => createThreadStore({ directory });
const checkpointOf = (id: ThreadId) => join(directory, "derived", `${id}.checkpoint`);

/** A thread whose file has `bytes` or more, as one session leaves it. */
async function longThread(bytes: number) {
  const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
  const turns = new TurnWriter(writer);
  turns.turn("the first thing", "x");
  for (let n = 0; n % 10 !== 0 || statSync(writer.file).size < bytes; n++) turns.turn(`turn ${n}`, OUTPUT);
  await writer.close();
  await new Promise(setImmediate);
  return { id: writer.id, file: writer.file, live: turns.state };
}

/** Goes on with a thread for one turn, as a session does, and gives what it started from. */
async function goOn(id: ThreadId, words: string) {
  const { thread, writer } = store().open(id);
  new TurnWriter(writer, thread).turn(words, "short");
  await writer.close();
  return thread;
}

const units = (messages: readonly Message[]) => JSON.stringify(messages).length;

describe("a thread of many megabytes", () => {
  test("is gone on with from its end: what is read does not grow with it", async () => {
    const { id, file, live } = await longThread(24 * MEGABYTE);
    expect(existsSync(checkpointOf(id))).toBe(true);
    const opened: OpenedThread[] = [];
    const { readBytes } = countTraffic(() => void opened.push(store().open(id)));
    await opened[0]?.writer.close();
    expect(readBytes).toBeLessThan(WINDOW_UNITS * 1.3 + 2 * CHECKPOINT_BYTES);
    expect(readBytes).toBeLessThan(statSync(file).size / 1.5);
    const thread = await goOn(id, "and then");
    expect(thread.interrupted).toBe(false);
    expect(thread.skipped + thread.messages.length).toBe(live.context.messages.length);
    expect(units(thread.messages)).toBeLessThan(1.2 * WINDOW_UNITS);
    expect(thread.messages.at(-1)).toEqual(live.context.messages.at(-1));
    expect(JSON.stringify(thread.messages[0])).toContain("is left out here");
    expect(conversationProblem(thread.messages)).toBeUndefined();
  });

  test("replays as a whole, also after it was gone on with from its end, and again", async () => {
    const { id } = await longThread(10 * MEGABYTE);
    await goOn(id, "second session");
    await goOn(id, "third session");
    const whole = store().load(id);
    expect(whole.runs).toHaveLength(3);
    for (const run of whole.runs) expect(replay(run, stepDigest).mismatch).toBeUndefined();
    expect(JSON.stringify(whole.messages)).not.toContain("the first thing");
    const resumed = store().open(id);
    await resumed.writer.close();
    expect(resumed.thread.messages.at(-1)).toEqual(whole.messages.at(-1));
    expect(resumed.thread.facts).toEqual(whole.facts);
  });

  test("gives the same with its checkpoint as without", async () => {
    const { id } = await longThread(10 * MEGABYTE);
    await goOn(id, "second session");
    const { thread: first, writer } = store().open(id);
    await writer.close();
    rmSync(checkpointOf(id));
    const { thread: second, writer: again } = store().open(id);
    await again.close();
    expect(second.messages.slice(1)).toEqual(first.messages.slice(-second.messages.length + 1));
    expect(second.facts).toEqual(first.facts);
    expect(second.skipped + second.messages.length).toBe(first.skipped + first.messages.length);
    expect(existsSync(checkpointOf(id))).toBe(true);
  });

  test.each(["cut", "changed", "of another thread"])("has no use for a checkpoint that is %s", async (how) => {
    const { id } = await longThread(6 * MEGABYTE);
    const { thread: before, writer } = store().open(id);
    await writer.close();
    const content = readFileSync(checkpointOf(id), "utf8");
    if (how === "cut") writeFileSync(checkpointOf(id), content.slice(0, 10_000));
    if (how === "changed") writeFileSync(checkpointOf(id), content.replace("turn 1", "burn 1"));
    if (how === "of another thread") {
      const other = await longThread(5 * MEGABYTE);
      writeFileSync(checkpointOf(id), readFileSync(checkpointOf(other.id)));
    }
    const { thread: after, writer: again } = store().open(id);
    await again.close();
    expect(after.messages).toEqual(before.messages);
  });

  test("whose server numbers its calls from 0 again is read whole where that matters", async () => {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    const turns = new TurnWriter(writer);
    turns.turn("begin", "x", "call_0");
    for (let n = 0; statSync(writer.file).size < 9 * MEGABYTE; n++) turns.turn(`turn ${n}`, OUTPUT);
    await new Promise(setImmediate);
    turns.turn("again", "y", "call_0");
    await writer.close();
    const { thread, writer: next } = store().open(writer.id);
    await next.close();
    expect(thread.messages.at(-1)).toEqual(turns.state.context.messages.at(-1));
    expect(thread.interrupted).toBe(false);
    expect(JSON.stringify(thread.messages.slice(-3))).toContain("call_0_2");
  });

  test("that was cut off in the middle of a turn is answered as interrupted", async () => {
    const { id, file } = await longThread(6 * MEGABYTE);
    const lines = readFileSync(file, "utf8").split("\n");
    // Without the totals, the last answer, and the end of the tool's result.
    writeFileSync(file, lines.slice(0, -3).join("\n").slice(0, -20));
    const { thread, writer } = store().open(id);
    await writer.close();
    expect(thread.interrupted).toBe(true);
    expect(conversationProblem(thread.messages)).toBeUndefined();
    expect(thread.messages.at(-1)).toMatchObject({ role: "user", content: [{ type: "tool_result", isError: true }] });
  });
});

describe("one event", () => {
  test("costs its own size in a thread of 5 MB, and so does a change of title", async () => {
    const { id } = await longThread(5 * MEGABYTE);
    const { thread, writer } = store().open(id);
    const turns = new TurnWriter(writer, thread);
    const traffic = countTraffic(() => turns.event({ type: "user_input", input: [{ type: "text", text: "hello" }] }));
    expect(traffic.readBytes).toBe(0);
    expect(traffic.writtenBytes).toBeLessThan(1_000);
    await writer.close();
    let changed: Promise<void> | undefined;
    const { readBytes, writtenBytes } = countTraffic(() => {
      changed = store().change(id, { title: "Another" });
    });
    await changed;
    expect(readBytes).toBeLessThan(200_000);
    expect(writtenBytes).toBeLessThan(1_000);
    expect(store().load(id).facts.title).toBe("Another");
  });
});

describe("a long output", () => {
  const output = "line of output\n".repeat(2_000);

  test("is kept once, apart from the thread, and comes back as it was", async () => {
    const writers = [1, 2].map(() => store().create({ workspace: "/work", loomVersion: "1.2.3" }));
    const live = writers.map((writer) => {
      const turns = new TurnWriter(writer);
      turns.turn("go", output);
      return turns.state.context.messages;
    });
    for (const [index, writer] of writers.entries()) {
      await writer.close();
      expect(statSync(writer.file).size).toBeLessThan(output.length / 4);
      const thread = store().load(writer.id);
      expect(thread.messages).toEqual(live[index]);
      for (const run of thread.runs) expect(replay(run, stepDigest).mismatch).toBeUndefined();
      expect(readFileSync(writer.file, "utf8")).toContain('"head":"line of output');
    }
    const [place = ""] = readdirSync(join(directory, "outputs"));
    const kept = readdirSync(join(directory, "outputs", place));
    expect(kept).toHaveLength(1);
    expect(statSync(join(directory, "outputs", place, kept[0] ?? "")).mode & 0o777).toBe(0o600);
  });

  test("that is lost or damaged is replaced by a sentence, and the thread goes on", async () => {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    new TurnWriter(writer).turn("go", output);
    await writer.close();
    const [place = ""] = readdirSync(join(directory, "outputs"));
    const [name = ""] = readdirSync(join(directory, "outputs", place));
    writeFileSync(join(directory, "outputs", place, name), output.replace("line", "LINE"));
    const { thread, writer: again } = store().open(writer.id);
    await again.close();
    expect(JSON.stringify(thread.messages)).toContain(`[This output of ${output.length} bytes is lost: ${name}]`);
    expect(conversationProblem(thread.messages)).toBeUndefined();
  });

  test("stays in the thread where there is no room for it elsewhere", async () => {
    writeFileSync(join(directory, "outputs"), "in the way");
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    const turns = new TurnWriter(writer);
    turns.turn("go", output);
    await writer.close();
    expect(store().load(writer.id).messages).toEqual(turns.state.context.messages);
  });

  test("stays in a thread of the first format, which an older Loom may still read", async () => {
    const writer = store().create({ workspace: "/work", loomVersion: "1.2.3" });
    new TurnWriter(writer).turn("go", "short");
    await writer.close();
    writeFileSync(writer.file, readFileSync(writer.file, "utf8").replace('"v":2', '"v":1'));
    const { thread, writer: again } = store().open(writer.id);
    new TurnWriter(again, thread).turn("more", output);
    await again.close();
    expect(readFileSync(writer.file, "utf8")).not.toContain("stored_text");
    expect(existsSync(join(directory, "outputs"))).toBe(false);
  });
});
