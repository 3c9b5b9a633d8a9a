import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conversationProblem, isThreadId, replay } from "@loom/core";
import { afterAll, describe, expect, test } from "vitest";
import { collectGarbage } from "./garbage.ts";
import { openThreadIndex } from "./index/thread-index.ts";
import { LONG_OUTPUT } from "./killed-scenario.testing.ts";
import { TurnWriter } from "./long-thread.testing.ts";
import { stepDigest } from "./step-digest.ts";
import { createThreadStore } from "./thread-store.ts";
import { readTombstones } from "./tombstones.ts";

const SCENARIO = join(import.meta.dirname, "killed-scenario.testing.ts");
const root = mkdtempSync(join(tmpdir(), "loom-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs the scenario in a process that is killed at its effect number `at`; 0 = never. */
async function run(at: number, mode: string) {
  const directory = join(root, `${at}-${mode}`);
  const child = spawn(process.execPath, [SCENARIO, directory, String(at), mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code, signal] = await once(child, "close");
  return { directory, code, signal, done: output.trimEnd().split("\n") };
}

/** What has to hold after a kill, whatever the process had just done. */
async function check({ directory, done }: Awaited<ReturnType<typeof run>>) {
  const store = createThreadStore({ directory });
  const id = done.find((line) => line.startsWith("thread "))?.slice("thread ".length) ?? "";
  const said = done.filter((line) => line.startsWith("said ")).map((line) => line.slice("said ".length));
  const index = await openThreadIndex({ directory });
  const known = [...index.list(), ...index.list({ deleted: true })];
  if (said.length === 0 && known.length === 0) return index.close();
  if (!isThreadId(id)) throw new Error(`not an id: ${id}`);

  const thread = store.load(id);
  expect(conversationProblem(thread.messages)).toBeUndefined();
  for (const recorded of thread.runs) expect(replay(recorded, stepDigest).mismatch).toBeUndefined();
  const text = JSON.stringify(thread.messages);
  for (const words of said) expect(text).toContain(`done with ${words}`);
  if (said.includes("beta")) expect(text).toContain(JSON.stringify(LONG_OUTPUT));
  expect(text).not.toContain("is lost");
  if (done.includes("named Gamma")) expect(thread.facts).toMatchObject({ title: "Gamma", tags: ["delta"] });
  const deleted = thread.facts.deletedAt !== undefined;
  for (const words of said) expect(index.search(words, { deleted }).map(({ threadId }) => threadId)).toContain(id);
  index.close();

  // A thread that was being removed is gone or whole, and known to be going where it is gone.
  const copy = done.find((line) => line.startsWith("copied "))?.slice("copied ".length) ?? "";
  if (isThreadId(copy)) {
    const gone = !existsSync(join(directory, `${copy}.jsonl`));
    if (done.includes("purged")) expect(gone).toBe(true);
    if (gone) expect(readTombstones(directory)).toMatchObject([{ id: copy }]);
    else expect(store.load(copy).messages).toEqual(thread.messages);
  }

  // Nobody is shut out by what the dead process left behind, and it can be cleaned up.
  if (thread.facts.deletedAt !== undefined) await store.change(id, { deleted: false });
  const { thread: resumed, writer } = store.open(id);
  new TurnWriter(writer, resumed).turn("omega", "short");
  expect(await writer.close()).toBeUndefined();
  const later = Date.now() + 3 * 86_400_000;
  collectGarbage({ directory, retentionDays: 0, trashDays: 30, dryRun: false, now: later });
  const left = readdirSync(directory, { recursive: true }).map(String);
  expect(left.filter((name) => name.endsWith(".new"))).toEqual([]);
  const whole = JSON.stringify(store.load(id).messages);
  for (const words of [...said, "omega"]) expect(whole).toContain(`done with ${words}`);
  if (said.includes("beta")) expect(whole).toContain(JSON.stringify(LONG_OUTPUT));
}

describe("a process that is killed at any of its effects on files, before it or with half of it done", () => {
  test.each(["before", "half"])(
    "(%s) loses nothing that it had said was done",
    async (mode) => {
      const whole = await run(0, mode);
      const effects = whole.done.find((line) => line.startsWith("effects "))?.slice("effects ".length) ?? "";
      const points: number[] = JSON.parse(effects);
      const expected = points.length;
      expect(expected).toBeGreaterThan(10);
      await check(whole);
      let killed = 0;
      const worker = async () => {
        for (let at = points.shift(); at !== undefined; at = points.shift()) {
          const result = await run(at, mode);
          if (result.signal === "SIGKILL") killed += 1;
          try {
            await check(result);
          } catch (error) {
            throw new Error(`killed at effect ${at}, after ${JSON.stringify(result.done)}`, { cause: error });
          }
        }
      };
      await Promise.all([worker(), worker(), worker()]);
      expect(killed).toBe(expected);
    },
    180_000,
  );
});
