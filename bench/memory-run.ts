import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, RunFailed } from "./command.ts";
import { killTree, type Memory, memoryOf, processTree } from "./process-tree.ts";

const SAMPLE_EVERY_MS = 10;
const LIMIT_MS = 120_000;

/**
 * Runs the command and looks at the memory of its process tree about every 10 ms; gives the highest sums seen. The looking
 * itself takes CPU time, so nothing else is measured in such a run. Throws `RunFailed` unless it exits with 0 in two minutes.
 */
export async function memoryRun(command: Command): Promise<Memory> {
  const child = spawn(command.file, command.args, { cwd: command.cwd, env: command.env, stdio: "ignore" });
  const exit = once(child, "exit");
  const root = child.pid ?? 0;
  const deadline = performance.now() + LIMIT_MS;
  let known: ReadonlySet<number> = new Set();
  let rss = 0;
  let pss = 0;
  while (child.exitCode === null && child.signalCode === null) {
    known = processTree(root, known);
    const now = memoryOf(known);
    rss = Math.max(rss, now.rss);
    pss = Math.max(pss, now.pss);
    if (performance.now() > deadline) killTree(root);
    await sleep(SAMPLE_EVERY_MS);
  }
  const [code] = await exit;
  if (code !== 0) throw new RunFailed(command, `It ended with ${code}`, "(not kept in a memory run)");
  return { rss, pss };
}
