import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay } from "@loom/core";
import { createThreadStore, stepDigest } from "@loom/threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { call, modelOf, says, start, succeeded, text, toolsThat } from "./session.testing.ts";
import type { PostToolsHook } from "./session-types.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const store = () => createThreadStore({ directory });

describe("the hook", () => {
  function hookThat(overrides: Partial<PostToolsHook> = {}): PostToolsHook & { readonly order: string[] } {
    const order: string[] = [];
    const note = async (what: string) => void order.push(what);
    return {
      order,
      beforeTools: () => note("before"),
      afterTools: (tools) => note(`after ${tools.map(({ call: { id } }) => id).join()}`).then(() => true),
      afterFailedTools: () => note("noted"),
      settled: () => note("settled"),
      ...overrides,
    };
  }

  test("sees the workspace before a call may change it, and after it did; reading does not wait for it", async () => {
    const hook = hookThat();
    const tools = toolsThat(async ({ id, name }) => {
      hook.order.push(`run ${id}`);
      return succeeded("", name === "bash");
    });
    const model = modelOf(says(call("a"), call("r", "read_file")), says(call("q", "read_file")), says(...text("x")));
    const { session } = start({ model, tools, hook });
    await session.send(text("go"));
    expect(hook.order).toEqual(["before", "run r", "run a", "after r,a", "run q", "settled"]);
    await session.shutdown();
  });

  test("reports commits and usage, which belong to the turn and to the thread", async () => {
    const usage = {
      inputTokens: 5,
      outputTokens: 1,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
      cacheWriteLongTokens: 0,
      reasoningTokens: 0,
    };
    const finish = Promise.withResolvers<void>();
    const hook = hookThat({
      afterTools: async (_tools, report) => {
        void finish.promise.then(() => {
          report({ type: "usage", usage, model: "small", costMicroUsd: 1 });
          report({ type: "commit", sha: "abc", message: "feat: x", paths: ["a"] });
        });
        return true;
      },
      settled: async () => finish.resolve(),
    });
    const tools = toolsThat(async () => succeeded("", true));
    const thread = { writer: store().create({ workspace: "/w", loomVersion: "0" }) };
    const { session, types } = start({ model: modelOf(says(call("a")), says(...text("x"))), tools, hook, thread });
    expect(await session.send(text("go"))).toMatchObject({ turns: 2, requests: 3, costMicroUsd: 21 });
    expect(types().slice(-3)).toEqual(["usage", "commit", "turn_ended"]);
    await session.shutdown();
    const loaded = store().load(thread.writer.id);
    expect(loaded.totals).toEqual(session.totals);
    expect(loaded.commits).toMatchObject([{ sha: "abc", message: "feat: x" }]);
  });

  test("that is told late of its work cannot answer for a later round", async () => {
    const release = Promise.withResolvers<void>();
    let rounds = 0;
    const hook = hookThat({
      afterTools: async () => {
        if (++rounds === 1) await release.promise;
        return true;
      },
    });
    const tools = toolsThat(async () => succeeded("", true));
    const { session, until } = start({ model: modelOf(says(call("a")), says(...text("x"))), tools, hook });
    const turn = session.send(text("go"));
    await until(({ type }) => type === "tool_finished");
    session.interrupt();
    release.resolve();
    expect((await turn).outcome).toBe("interrupted");
    expect((await session.send(text("again"))).text).toBe("x");
    await session.shutdown();
  });
});

describe("the thread", () => {
  test("replays to what the session was, with its title, and goes on in a new session", async () => {
    const writer = store().create({ workspace: "/w", loomVersion: "0" });
    const tools = toolsThat(async () => succeeded("out", true));
    const first = start({ model: modelOf(says(call("a")), says(...text("one"))), tools, thread: { writer } });
    await first.session.send(text("Fix the bug\nplease"));
    const live = first.session.state.context.messages;
    await first.session.shutdown();
    const loaded = store().load(writer.id);
    expect(loaded.title).toBe("Fix the bug");
    expect(loaded.messages).toEqual(live);
    for (const run of loaded.runs) expect(replay(run, stepDigest).mismatch).toBeUndefined();

    const model = modelOf(says(...text("two")));
    const second = start({ model, thread: store().open(writer.id) });
    await second.session.send(text("and now"));
    expect(model.requests[0]?.messages).toHaveLength(5);
    expect(second.session.totals.requests).toBe(3);
    await second.session.shutdown();
    expect(store().load(writer.id)).toMatchObject({ totals: { requests: 3 }, interrupted: false });
  });

  test("that cannot be saved is said once, and the turn goes on", async () => {
    const file = join(directory, "no-directory");
    const broken = createThreadStore({ directory: "/dev/null/threads" }).create({ workspace: file, loomVersion: "0" });
    const { session, updates } = start({ model: modelOf(says(...text("fine"))), thread: { writer: broken } });
    expect(await session.send(text("go"))).toMatchObject({ outcome: "completed", text: "fine" });
    expect(updates.filter(({ type }) => type === "notice")).toMatchObject([
      { text: expect.stringMatching(/^The thread cannot be saved to .* It is kept in memory/) },
    ]);
    expect((await session.shutdown()).unsaved).toMatchObject({ code: "thread_not_saved" });
  });
});
