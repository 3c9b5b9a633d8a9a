import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { type Command, RunFailed } from "./command.ts";
import { killTree } from "./process-tree.ts";

export type Timing = {
  /** When it was started, by `performance.now()`. */
  readonly startedAt: number;
  /** Seconds from start to end. */
  readonly wall: number;
  /** Seconds of user and system time of the process and every descendant that was waited for. */
  readonly cpu: number;
  readonly stdout: string;
};

const LIMIT_MS = 120_000;

// bash asks the kernel (wait4) for the times of the finished children: exact, and nothing samples meanwhile. Descriptor 3
// takes the report of `time` apart from the command's own standard error, which goes to 4.
const TIMED = `TIMEFORMAT='%3R %3U %3S'
{ time for ((i = 0; i < REPEAT; i++)); do "$@" 2>&4 3>&- 4>&- || exit $?; done; } 2>&3`;

/**
 * Runs the command to its end and measures it. A short command is run `repeat` times in one measurement, because the
 * report has a resolution of 1 ms; the times are those of one run. Throws `RunFailed` unless it exits with 0 in two minutes.
 */
export async function timedRun(command: Command, { repeat = 1 } = {}): Promise<Timing> {
  const script = TIMED.replace("REPEAT", String(repeat));
  const startedAt = performance.now();
  const child = spawn("bash", ["--noprofile", "--norc", "-c", script, "bench", command.file, ...command.args], {
    cwd: command.cwd,
    env: command.env,
    stdio: ["ignore", "pipe", "ignore", "pipe", "pipe"],
  });
  const [stdout, report, stderr] = [child.stdout, child.stdio[3], child.stdio[4]].map((stream) =>
    stream === null || stream === undefined ? Promise.resolve("") : text(stream as NodeJS.ReadableStream),
  );
  const deadline = setTimeout(() => killTree(child.pid ?? 0), LIMIT_MS);
  const [code] = await once(child, "exit");
  clearTimeout(deadline);
  if (code !== 0) throw new RunFailed(command, `It ended with ${code}`, `${await stdout}${await stderr}`);
  const [wall = Number.NaN, user = Number.NaN, system = Number.NaN] = ((await report) ?? "").split(" ").map(Number);
  return { startedAt, wall: wall / repeat, cpu: (user + system) / repeat, stdout: (await stdout) ?? "" };
}
