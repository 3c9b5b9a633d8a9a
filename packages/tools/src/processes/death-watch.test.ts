import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { environmentOf, processTable } from "./process-table.ts";
import { COMMAND_VARIABLE } from "./process-tree.ts";

/** A program that runs a command and hands on what it prints. */
function program(command: string, root = temporaryDirectory()) {
  const source = `
    import { LocalProcesses } from ${JSON.stringify(join(import.meta.dirname, "local-processes.ts"))};
    const processes = new LocalProcesses({ root: ${JSON.stringify(root)}, environment: process.env });
    await processes.run(${JSON.stringify(command)}, {
      timeoutMs: 60_000,
      signal: new AbortController().signal,
      onOutput: (chunk) => void process.stdout.write(chunk),
    });
    if (process.argv.includes("close")) await processes.close();`;
  return (...args: string[]) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", source, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    return { child, exit: once(child, "exit"), lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  };
}

async function numbers(lines: AsyncIterator<string>): Promise<number[]> {
  const { value } = await lines.next();
  return String(value).split(" ").map(Number);
}

const isAlive = (wanted: number) => processTable().some(({ pid }) => pid === wanted);

async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await delay(20);
}

/** Children of a process that are not commands of its. */
function watchersOf(parent: number): number[] {
  return processTable()
    .filter((entry) => entry.parent === parent && environmentOf(entry.pid, COMMAND_VARIABLE) === undefined)
    .map(({ pid }) => pid);
}

test.runIf(process.platform === "linux")("a killed program takes its commands with it, and nobody else's", async () => {
  const bystander = spawn("sleep", ["1000"], { stdio: "ignore", env: { [COMMAND_VARIABLE]: "somebody-else:1:" } });
  onTestFinished(() => void bystander.kill("SIGKILL"));
  const start = program(`sleep 1000 & env -i sleep 1000 & setsid sleep 1000 & echo $$ $(jobs -p); wait`);
  const { child, exit, lines } = start();
  const pids = await numbers(lines);
  expect(pids).toHaveLength(4);
  child.kill("SIGKILL");
  await exit;
  await gone(pids);
  expect(isAlive(bystander.pid ?? 0)).toBe(true);
});

test.runIf(process.platform === "linux")("a command that will not be asked is killed", async () => {
  const { child, exit, lines } = program(`trap '' TERM; echo $$; while :; do sleep 0.1; done`)();
  const pids = await numbers(lines);
  child.kill("SIGKILL");
  await exit;
  await gone(pids);
});

test("a process left in the background does not keep the program from ending", async () => {
  const { exit, lines } = program("sleep 1000 & echo $!")();
  const [pid = 0] = await numbers(lines);
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  expect(await exit).toEqual([0, null]);
});

test("a program that closes leaves no watch behind", async () => {
  const root = temporaryDirectory();
  const { child, exit, lines } = program("echo $$; until [ -e over ]; do sleep 0.01; done", root)("close");
  await numbers(lines);
  const watchers = watchersOf(child.pid ?? 0);
  writeFileSync(join(root, "over"), "");
  await exit;
  expect(watchers.length).toBe(process.platform === "linux" ? 1 : 0);
  await gone(watchers);
});
