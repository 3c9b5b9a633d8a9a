import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conversationProblem } from "@loom/core";
import { afterAll, describe, expect, test } from "vitest";
import { threadIds } from "../thread-store.ts";
import { Device } from "./device.testing.ts";
import { LONG_OUTPUT } from "./killed-sync-scenario.testing.ts";
import { MemoryRemote } from "./memory-remote.testing.ts";

const SCENARIO = join(import.meta.dirname, "killed-sync-scenario.testing.ts");
const root = mkdtempSync(join(tmpdir(), "loom-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function run(at: number, mode: string) {
  const place = join(root, `${at}-${mode}`);
  mkdirSync(place);
  const child = spawn(process.execPath, [SCENARIO, place, String(at), mode], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [, signal] = await once(child, "close");
  return { place, signal, output };
}

/** The server knows nothing of the sync that was killed: the worst that can be. */
async function check(place: string): Promise<void> {
  const remote = MemoryRemote.from(readFileSync(join(place, "server.json"), "utf8"));
  const [a, b] = [new Device(Date.now, join(place, "a")), new Device(Date.now, join(place, "b"))];
  for (const each of [b, a, b]) expect(await each.sync(remote)).toMatchObject({ type: "done", failed: 0, open: 0 });
  expect(b.threads()).toEqual(a.threads());
  expect(b.threads().size).toBe(4);
  const text = b.text();
  for (const words of ["alpha", "on a", "on b", "beta", "delta", "epsilon"])
    expect(text).toContain(`done with ${words}`);
  expect(text.split(JSON.stringify(LONG_OUTPUT)).length).toBe(3);
  expect(threadIds(b.directory).map((id) => b.store.load(id).facts.title)).toContain("Gamma");
  for (const id of threadIds(b.directory)) expect(conversationProblem(b.store.load(id).messages)).toBeUndefined();
  expect(b.syncWith(remote).takeNotices()).toHaveLength(1);
}

describe("a sync that is killed at any of its effects on files, before it or with half of it done", () => {
  test.each(["before", "half"])(
    "(%s) loses nothing, makes nothing twice, and tells the person",
    async (mode) => {
      const whole = await run(0, mode);
      const points: number[] = JSON.parse(whole.output);
      const expected = points.length;
      expect(expected).toBeGreaterThan(10);
      await check(whole.place);
      let killed = 0;
      const worker = async () => {
        for (let at = points.shift(); at !== undefined; at = points.shift()) {
          const { place, signal } = await run(at, mode);
          if (signal === "SIGKILL") killed += 1;
          await check(place).catch((cause: unknown) => {
            throw new Error(`killed at effect ${at}`, { cause });
          });
        }
      };
      await Promise.all([worker(), worker(), worker()]);
      expect(killed).toBe(expected);
    },
    900_000,
  );
});
