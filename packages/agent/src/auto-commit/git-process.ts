import { type ChildProcess, spawn } from "node:child_process";

/** How one run of git ended. */
export type GitResult = {
  /** Exit code 0, and nothing of what was asked for is missing. */
  readonly ok: boolean;
  readonly stdout: Buffer;
  /** At most the last 8 KiB. Hooks write here too. */
  readonly stderr: string;
  /** `stdout` is not all of it. */
  readonly cut: boolean;
  /** There is no git, or it cannot be started. */
  readonly missing: boolean;
  /** It was stopped at its deadline. */
  readonly late: boolean;
};

export type GitOptions = {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
};

export type GitRunOptions = {
  /** Standard input; closed without it. */
  readonly input?: string | Buffer;
  /** An index apart from the person's. */
  readonly indexFile?: string;
  readonly deadlineMs?: number;
  readonly maxOutputBytes?: number;
  /** Output beyond the bound is left out; without this it is a failure. */
  readonly mayCut?: boolean;
  /** Ends it early, as the deadline does. */
  readonly signal?: AbortSignal;
};

export const GIT_DEADLINE_MS = 30_000;
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
const MAX_ERROR_UNITS = 8 * 1024;
/** Hooks put a working tree back in order when Ctrl+C reaches them; only then harder ways. */
const STOPPING: readonly (readonly [NodeJS.Signals, number])[] = [
  ["SIGINT", 3_000],
  ["SIGTERM", 2_000],
  ["SIGKILL", 0],
];
/** How long output may trail behind the end of git: something a hook left running may hold the pipe for ever. */
const DRAIN_MS = 500;

/** Runs git, in a process group of its own so that Ctrl+C in the terminal does not reach it. Never rejects. */
export function runGit(
  { directory, environment }: GitOptions,
  args: readonly string[],
  options: GitRunOptions = {},
): Promise<GitResult> {
  const { input, indexFile, deadlineMs = GIT_DEADLINE_MS, maxOutputBytes = MAX_OUTPUT_BYTES, signal } = options;
  const output: Buffer[] = [];
  let bytes = 0;
  let stderr = "";
  let cut = false;
  let late = false;
  return new Promise((resolve) => {
    const child = spawn("git", args, {
      cwd: directory,
      env: indexFile === undefined ? environment : { ...environment, GIT_INDEX_FILE: indexFile },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      detached: true,
    });
    const stop = stopper(child);
    const deadline = setTimeout(() => {
      late = true;
      stop();
    }, deadlineMs);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();

    const finish = (code: number | null, missing: boolean) => {
      clearTimeout(deadline);
      stop.clear();
      signal?.removeEventListener("abort", stop);
      child.stdout?.destroy();
      child.stderr?.destroy();
      const ok = cut ? options.mayCut === true : code === 0;
      resolve({ ok, stdout: Buffer.concat(output), stderr, cut, missing, late });
    };
    child.once("error", () => finish(null, true));
    child.once("exit", (code) => {
      const drained = setTimeout(finish, DRAIN_MS, code, false);
      child.once("close", () => {
        clearTimeout(drained);
        finish(code, false);
      });
    });
    child.stdout?.on("data", (chunk: Buffer) => {
      const room = maxOutputBytes - bytes;
      if (room > 0) output.push(chunk.subarray(0, room));
      bytes += chunk.length;
      if (bytes <= maxOutputBytes || cut) return;
      cut = true;
      stop();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-MAX_ERROR_UNITS);
    });
    // git may end before it has read its input.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

function stopper(child: ChildProcess): (() => void) & { clear(): void } {
  let timer: NodeJS.Timeout | undefined;
  let stage = 0;
  const next = () => {
    const step = STOPPING[stage++];
    if (step === undefined || child.pid === undefined) return;
    try {
      process.kill(-child.pid, step[0]);
    } catch {
      // Gone already.
    }
    timer = setTimeout(next, step[1]);
  };
  const stop = () => {
    if (stage === 0) next();
  };
  return Object.assign(stop, { clear: () => clearTimeout(timer) });
}

/** The last line of what git or a hook said, for a person: no control sequences, at most 200 characters. */
export function lastLine(text: string): string {
  const lines = text.replaceAll(ANSI_SEQUENCE, "").replaceAll("\r", "\n").split("\n");
  const last = lines.map((line) => line.replaceAll(/\p{Cc}/gu, " ").trim()).findLast((line) => line !== "") ?? "";
  return last.length > 200 ? `${last.slice(0, 199)}…` : last;
}

/** ECMA-48 control sequences, as hooks write them to colour their output. */
const ANSI_SEQUENCE = new RegExp(`${String.fromCharCode(27)}\\[[0-?]*[ -/]*[@-~]`, "g");
