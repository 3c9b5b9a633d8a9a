import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conversationProblem, type LlmEvent, type LlmFailure } from "@loom/core";
import { createThreadStore } from "@loom/threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  aborted,
  answer,
  call,
  hangsAfter,
  modelOf,
  noTools,
  SETTINGS,
  says,
  start,
  succeeded,
  text,
  toolsThat,
} from "./session.testing.ts";
import { createSession } from "./session.ts";
import type { PostToolsHook } from "./session-types.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const store = () => createThreadStore({ directory });

/** A clock on which timers fire at once, or never. */
function clock({ firing }: { readonly firing: boolean }) {
  const delays: number[] = [];
  return {
    delays,
    now: () => 0,
    setTimeout(run: () => void, delayMs: number) {
      delays.push(delayMs);
      if (firing) queueMicrotask(run);
      return delays.length;
    },
    clearTimeout() {},
  };
}

const OVERLOADED: LlmFailure = { code: "overloaded", message: "The provider is overloaded.", retryable: true };

describe("a turn", () => {
  test("is answered, with the text in batches, the usage and the price", async () => {
    const deltas: LlmEvent[] = ["Hel", "lo"].map((part) => ({ type: "text_delta", text: part }));
    const { session, updates, types } = start({ model: modelOf(() => [deltas, [answer(text("Hello"))]]) });
    const result = await session.send(text("hi"));
    expect(result).toMatchObject({
      outcome: "completed",
      text: "Hello",
      turns: 1,
      requests: 1,
      costMicroUsd: 10,
      toolCalls: 0,
    });
    expect(types()).toEqual(["turn_started", "request_started", "text_delta", "answer", "usage", "turn_ended"]);
    expect(updates[2]).toEqual({ type: "text_delta", text: "Hello" });
    expect(session.totals).toMatchObject({ requests: 1, costMicroUsd: 10 });
    await session.shutdown();
  });

  test("runs the calls of one answer side by side and gives the model every result", async () => {
    const model = modelOf(says(call("a"), call("b", "read_file")), says(...text("done")));
    const started: string[] = [];
    const bothRun = Promise.withResolvers<void>();
    const tools = toolsThat(async ({ id }, { onProgress }) => {
      onProgress?.({ fraction: 0.5 });
      started.push(id);
      if (started.length === 2) bothRun.resolve();
      await bothRun.promise;
      return succeeded(`output of ${id}`);
    });
    const { session, updates } = start({ model, tools });
    expect(await session.send(text("go"))).toMatchObject({ outcome: "completed", toolCalls: 2, requests: 2 });
    expect(model.requests[1]?.messages.at(-1)).toMatchObject({
      role: "user",
      content: [
        { type: "tool_result", toolCallId: "a", content: text("output of a") },
        { type: "tool_result", toolCallId: "b", content: text("output of b") },
      ],
    });
    expect(updates.filter(({ type }) => type === "tool_started" || type === "tool_finished")).toHaveLength(4);
    await session.shutdown();
  });

  test("shows each fragment of a call, but tells the machine of each call only once", async () => {
    const fragment = (argumentsFragment: string): LlmEvent => ({
      type: "tool_call_delta",
      callId: "a",
      name: "bash",
      argumentsFragment,
    });
    const model = modelOf(hangsAfter([fragment("{"), fragment('"x"')], [fragment(":1}")]));
    const writer = store().create({ workspace: "/w", loomVersion: "0" });
    const { session, until } = start({ model, thread: { writer } });
    void session.send(text("go"));
    await until((update) => update.type === "tool_call_delta" && update.argumentsFragment === ":1}");
    expect(session.state.type).toBe("processing_llm_response");
    await session.shutdown();
    const recorded = store()
      .load(writer.id)
      .runs[0]?.entries.filter(({ event }) => event.type === "llm_event");
    expect(recorded).toHaveLength(1);
  });

  test("delivers what is said meanwhile at the next safe point, and answers both", async () => {
    const model = modelOf(says(call("a")), says(...text("both")));
    const release = Promise.withResolvers<void>();
    const tools = toolsThat(async () => {
      await release.promise;
      return succeeded("");
    });
    const { session } = start({ model, tools });
    const first = session.send(text("first"));
    const second = session.send(text("second"));
    release.resolve();
    expect((await first).text).toBe("both");
    expect(await second).toBe(await first);
    expect(JSON.stringify(model.requests[1]?.messages)).toContain("second");
    await session.shutdown();
  });

  test("survives a tool that throws", async () => {
    const tools = toolsThat(() => Promise.reject(new Error("boom")));
    const model = modelOf(says(call("a")), says(...text("ok")));
    const { session } = start({ model, tools });
    expect((await session.send(text("go"))).outcome).toBe("completed");
    expect(JSON.stringify(model.requests[1]?.messages)).toContain("The tool failed: boom.");
    await session.shutdown();
  });
});

describe("a model that fails", () => {
  test("is asked again after the wait the machine chose", async () => {
    const time = clock({ firing: true });
    const model = modelOf(() => [[{ type: "error", error: OVERLOADED }]], says(...text("at last")));
    const { session, updates } = start({ model, clock: time });
    expect(await session.send(text("go"))).toMatchObject({ outcome: "completed", text: "at last" });
    expect(time.delays[0]).toBeGreaterThanOrEqual(100);
    expect(time.delays[0]).toBeLessThanOrEqual(300);
    expect(updates.find(({ type }) => type === "notice")).toMatchObject({
      text: expect.stringContaining("attempt 2 of 3"),
    });
    await session.shutdown();
  });

  test("for good fails the turn with its reason, and the next turn works", async () => {
    const refused: LlmFailure = { code: "unauthorized", message: "The key was refused.", retryable: false };
    const model = modelOf(() => [[{ type: "error", error: refused }]], says(...text("fine")));
    const { session } = start({ model });
    expect(await session.send(text("go"))).toMatchObject({
      outcome: "failed",
      error: { type: "llm", failure: refused },
    });
    expect(await session.send(text("again"))).toMatchObject({ outcome: "completed", text: "fine" });
    await session.shutdown();
  });

  test("by throwing or by ending early fails the request and not the session", async () => {
    const model = modelOf(
      () => {
        throw new Error("socket hang up");
      },
      () => [[{ type: "text_delta", text: "half" }]],
      () => [],
      says(...text("whole")),
    );
    const { session, updates } = start({ model, clock: clock({ firing: true }) });
    expect(await session.send(text("go"))).toMatchObject({
      outcome: "failed",
      error: { failure: { code: "internal", message: "The request to the model failed: socket hang up." } },
    });
    expect(await session.send(text("go"))).toMatchObject({ outcome: "completed", text: "whole" });
    expect(updates.filter(({ type }) => type === "notice")).toHaveLength(2);
    await session.shutdown();
  });
});

describe("an interrupt", () => {
  test("aborts the request, keeps the text that was shown, and drops what comes late", async () => {
    const model = modelOf(
      async function* (_request, signal) {
        yield [{ type: "text_delta", text: "so far" }];
        await aborted(signal);
        yield [answer(text("too late"))];
      },
      says(...text("next")),
    );
    const { session, until, updates } = start({ model });
    const turn = session.send(text("go"));
    await until(({ type }) => type === "text_delta");
    session.interrupt();
    expect(await turn).toMatchObject({ outcome: "interrupted", cause: "person", requests: 0 });
    expect(session.state.context.messages.at(-1)).toEqual({ role: "assistant", content: text("so far") });
    expect(await session.send(text("on"))).toMatchObject({ text: "next" });
    expect(updates.filter(({ type }) => type === "answer")).toHaveLength(1);
    await session.shutdown();
  });

  test("stops the tools, and the next command waits until they are gone", async () => {
    const order: string[] = [];
    const gone = Promise.withResolvers<void>();
    const tools = toolsThat(async ({ id }, { signal }) => {
      order.push(`start ${id}`);
      if (id === "b") return succeeded("");
      await aborted(signal);
      await gone.promise;
      order.push(`end ${id}`);
      return succeeded("late");
    });
    const { session, until, updates } = start({
      model: modelOf(says(call("a")), says(call("b")), says(...text("x"))),
      tools,
    });
    const first = session.send(text("go"));
    await until(({ type }) => type === "tool_started");
    session.interrupt();
    expect((await first).outcome).toBe("interrupted");
    const second = session.send(text("again"));
    await until((update) => update.type === "answer" && JSON.stringify(update).includes('"b"'));
    expect(order).toEqual(["start a"]);
    gone.resolve();
    expect((await second).outcome).toBe("completed");
    expect(order).toEqual(["start a", "end a", "start b"]);
    expect(updates.filter(({ type }) => type === "tool_finished")).toHaveLength(1);
    expect(conversationProblem(session.state.context.messages)).toBeUndefined();
    await session.shutdown();
  });

  test("from inside an update leaves no request running", async () => {
    const signals: AbortSignal[] = [];
    const model = modelOf((_request, signal) => {
      signals.push(signal);
      return hangsAfter()(_request, signal);
    });
    const session = createSession({
      settings: SETTINGS,
      tools: noTools,
      model,
      onUpdate: ({ type }) => {
        if (type === "turn_started") session.interrupt();
      },
    });
    expect((await session.send(text("go"))).outcome).toBe("interrupted");
    expect(signals.every((signal) => signal.aborted)).toBe(true);
    await session.shutdown();
  });

  test("takes back the retry that was waiting", async () => {
    const model = modelOf(() => [[{ type: "error", error: OVERLOADED }]]);
    const { session, until } = start({ model, clock: clock({ firing: false }) });
    const turn = session.send(text("go"));
    await until(({ type }) => type === "notice");
    session.interrupt();
    expect((await turn).outcome).toBe("interrupted");
    expect(model.requests).toHaveLength(1);
    await session.shutdown();
  });

  test("between turns does nothing", async () => {
    const { session, updates } = start({ model: modelOf() });
    session.interrupt();
    expect(updates).toEqual([]);
    await session.shutdown();
  });
});

describe("the end of a session", () => {
  test("comes at the deadline, whatever is running, and says so", async () => {
    let fire = () => {};
    const setTimeout = (run: () => void) => {
      fire = run;
      return 1;
    };
    const time = { ...clock({ firing: false }), setTimeout };
    const { session, until } = start({
      model: modelOf(hangsAfter([{ type: "text_delta", text: "x" }])),
      clock: time,
      deadlineMs: 5,
    });
    const expire = fire;
    const turn = session.send(text("go"));
    await until(({ type }) => type === "text_delta");
    expire();
    expect(await turn).toMatchObject({ outcome: "interrupted", cause: "deadline" });
    expect(await session.shutdown()).toEqual({ cause: "deadline" });
    expect(await session.send(text("more"))).toMatchObject({ outcome: "interrupted", cause: "deadline" });
  });

  test("comes when the caller's signal aborts, before or after it began", async () => {
    const early = start({ model: modelOf(), signal: AbortSignal.abort() });
    expect(await early.session.send(text("go"))).toMatchObject({ outcome: "interrupted", cause: "shutdown" });
    const controller = new AbortController();
    const late = start({ model: modelOf(hangsAfter()), signal: controller.signal });
    const turn = late.session.send(text("go"));
    controller.abort();
    expect(await turn).toMatchObject({ outcome: "interrupted", cause: "shutdown" });
  });

  test("does not wait for ever for a client and a tool that ignore their signals", async () => {
    const deaf = new Promise<never>(() => {});
    const model = modelOf(async function* () {
      yield await deaf;
    });
    const { session } = start({ model, clock: clock({ firing: true }) });
    const turn = session.send(text("go"));
    expect(await session.shutdown()).toEqual({ cause: "shutdown" });
    expect((await turn).outcome).toBe("interrupted");
  });

  test("comes with a reason, and leaves nobody waiting, if there is a fault in what it stands on", async () => {
    const broken: PostToolsHook = {
      beforeTools: () => Promise.reject(new Error("no such thing")),
      afterTools: async () => false,
      afterFailedTools: async () => {},
      settled: async () => {},
    };
    const { session, updates } = start({ model: modelOf(says(call("a"))), hook: broken });
    expect(await session.send(text("go"))).toMatchObject({ outcome: "interrupted", cause: "shutdown" });
    expect(updates.find(({ type }) => type === "notice")).toEqual({
      type: "notice",
      text: "The session ends because of a fault in Loom: no such thing.",
    });
    expect(await session.shutdown()).toEqual({ cause: "shutdown" });
  });

  test("writes nothing if nobody spoke", async () => {
    const { session } = start({
      model: modelOf(),
      thread: { writer: store().create({ workspace: "/w", loomVersion: "0" }) },
    });
    expect(await session.shutdown()).toEqual({ cause: "shutdown" });
    expect(store().list()).toEqual([]);
  });
});
