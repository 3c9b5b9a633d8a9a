import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conversationProblem, type LlmEvent, replay } from "@loom/core";
import { createThreadStore, stepDigest } from "@loom/threads";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { aborted, answer, call, SETTINGS, succeeded, text, toolsThat } from "./session.testing.ts";
import { createSession } from "./session.ts";
import type { ModelClient, PostToolsHook, SessionUpdate, TurnResult } from "./session-types.ts";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Reply = "text" | "calls" | "hang" | "overloaded" | "refused" | "throw" | "nothing" | "late";
type ToolEnd = "ok" | "changed" | "failed" | "hang" | "throw" | "late";
type Move =
  | { readonly type: "send" | "interrupt" | "shutdown" | "load" }
  | { readonly type: "wait"; readonly ticks: number };

const replies = fc.array(
  fc.constantFrom<Reply>("text", "text", "calls", "calls", "hang", "overloaded", "refused", "throw", "nothing", "late"),
  { minLength: 1, maxLength: 12 },
);
const toolEnds = fc.array(fc.constantFrom<ToolEnd>("ok", "changed", "changed", "failed", "hang", "throw", "late"), {
  minLength: 1,
  maxLength: 12,
});
const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Move>({ type: "send" }) },
    { weight: 2, arbitrary: fc.constant<Move>({ type: "interrupt" }) },
    { weight: 6, arbitrary: fc.nat(6).map((ticks): Move => ({ type: "wait", ticks })) },
    { weight: 2, arbitrary: fc.constant<Move>({ type: "load" }) },
    { weight: 1, arbitrary: fc.nat(4).map((n): Move => ({ type: n === 0 ? "shutdown" : "interrupt" })) },
  ),
  { minLength: 1, maxLength: 25 },
);

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const delta = (type: "text_delta" | "thinking_delta", words: string): LlmEvent => ({ type, text: words });

/** Takes the kinds of reply in turn, over and over. */
function modelOfKinds(kinds: readonly Reply[]): ModelClient {
  let count = 0;
  return {
    async *stream(_request, { signal }) {
      const n = count++;
      const kind = kinds[n % kinds.length];
      if (kind === "throw") throw new Error("broken");
      yield [delta("thinking_delta", "hm "), delta("text_delta", "some "), delta("text_delta", "words ")];
      await tick();
      yield [delta("text_delta", "\ud83e"), delta("text_delta", "\udd84")];
      if (kind === "hang" || kind === "late") await aborted(signal);
      if (kind === "overloaded" || kind === "refused") {
        yield [{ type: "error", error: { code: "overloaded", message: "No.", retryable: kind === "overloaded" } }];
      }
      if (kind === "text" || kind === "late") yield [answer(text(`answer ${n}`))];
      if (kind === "calls") yield [answer([...text("calling"), call(`a${n}`), call(`b${n}`, "read_file")])];
    },
  };
}

function toolsOfKinds(kinds: readonly ToolEnd[]) {
  let count = 0;
  return toolsThat(async (_call, { signal, onProgress }) => {
    const kind = kinds[count++ % kinds.length];
    onProgress?.({ message: "working" });
    await tick();
    if (kind === "throw") throw new Error("broken");
    if (kind === "hang" || kind === "late") await aborted(signal);
    if (kind === "late") await tick();
    if (kind === "failed") {
      return {
        outcome: { type: "error", code: "io", message: "No." },
        display: { kind: "error", message: "No." },
        changedFiles: "unknown",
      };
    }
    return succeeded("out", kind !== "ok");
  });
}

const hook: PostToolsHook = {
  beforeTools: tick,
  afterTools: async (_tools, report) => {
    await tick();
    report({ type: "commit", sha: "abc", message: "feat: x", paths: [] });
    return true;
  },
  afterFailedTools: tick,
  settled: tick,
};

/** Retries do not wait, and a session that ends waits for nothing that ignores it. */
const clock = {
  now: () => 0,
  setTimeout(run: () => void, delayMs: number) {
    if (delayMs < 5_000) setImmediate(run);
    return 0;
  },
  clearTimeout() {},
};

test("whatever the person, the model and the tools do, and when: every turn ends once, and the thread replays to what was live", async () => {
  await fc.assert(
    fc.asyncProperty(replies, toolEnds, moves, fc.boolean(), async (answers, ends, play, withHook) => {
      const store = createThreadStore({ directory });
      const writer = store.create({ workspace: "/w", loomVersion: "0" });
      const updates: SessionUpdate[] = [];
      const session = createSession({
        settings: { ...SETTINGS, limits: { ...SETTINGS.limits, maxTurns: 8 } },
        model: modelOfKinds(answers),
        tools: toolsOfKinds(ends),
        thread: { writer },
        clock,
        seed: 1,
        onUpdate: (update) => updates.push(update),
        ...(withHook ? { hook } : {}),
      });
      const turns: Promise<TurnResult>[] = [];
      for (const move of play) {
        if (move.type === "send") turns.push(session.send(text(`input ${turns.length}`)));
        else if (move.type === "interrupt") session.interrupt();
        else if (move.type === "shutdown") void session.shutdown();
        else if (move.type === "wait") for (let n = 0; n < move.ticks; n++) await tick();
        else if (updates.length > 0) {
          // As it would be found after a kill in this moment.
          expect(conversationProblem(store.load(writer.id).messages)).toBeUndefined();
        }
      }
      expect(await session.shutdown()).toEqual({ cause: "shutdown" });
      const results = await Promise.all(turns);
      const began = updates.filter(({ type }) => type === "turn_started").length;
      if (began === 0) return;
      const ended = updates.filter((update) => update.type === "turn_ended").map(({ result }) => result);
      expect(ended).toHaveLength(began);
      expect(new Set(results.filter((result) => ended.includes(result))).size).toBe(began);
      expect(updates.at(-1)?.type).toBe("turn_ended");

      const thread = store.load(writer.id);
      expect(thread.lastState).toEqual(session.state);
      expect(thread.totals).toEqual(session.totals);
      expect(conversationProblem(thread.messages)).toBeUndefined();
      for (const run of thread.runs) expect(replay(run, stepDigest).mismatch).toBeUndefined();
    }),
    { numRuns: 250 },
  );
}, 120_000);
