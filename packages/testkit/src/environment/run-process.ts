import { spawn } from "node:child_process";

export type ProcessOptions = {
  readonly cwd?: string;
  /** The whole environment; by default this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which then closes. `"open"` leaves it open and silent; by default it is closed. */
  readonly input?: string | Uint8Array | "open";
  /** After this many milliseconds the process and its children are killed; by default 60 000. */
  readonly timeoutMs?: number;
};

export type ProcessResult = {
  /** `null` where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
};

/** A process that runs, in its own process group. */
export type RunningProcess = {
  readonly pid: number;
  /** What it has printed so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when it has ended and its output is read. */
  readonly exited: Promise<ProcessResult>;
  /** Resolves with the match once standard output or error holds one; rejects if the process ends without it. */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray>;
  write(text: string): void;
  closeInput(): void;
  /** Signals the process alone. */
  signal(signal: NodeJS.Signals): void;
  /** Kills the whole process group. */
  kill(): void;
};

const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_CHARACTERS = 64 << 20;

/** Starts a process and does not wait. Rejects if the command cannot be started. */
export async function startProcess(
  command: string,
  args: readonly string[],
  { cwd, env, input, timeoutMs = DEFAULT_TIMEOUT_MS }: ProcessOptions = {},
): Promise<RunningProcess> {
  const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: "pipe", detached: true });
  const output = { stdout: "", stderr: "" };
  const checks = new Set<() => void>();
  let timedOut = false;
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      // Past the bound it is read and dropped, so that the child does not block.
      if (output[name].length < MAX_OUTPUT_CHARACTERS) output[name] += text;
      for (const check of checks) check();
    });
  }
  const { pid } = child;
  if (pid === undefined) {
    return new Promise((_, reject) => child.once("error", reject));
  }
  const kill = () => killGroup(pid);
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  const exited = new Promise<ProcessResult>((resolve) => {
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, timedOut });
    });
  });
  // A child that leaves without reading its input is no failure of ours.
  child.stdin.on("error", () => undefined);
  if (input !== "open") child.stdin.end(input);
  return {
    pid,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    exited,
    waitForOutput: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
          if (match === null) return;
          checks.delete(check);
          resolve(match);
        };
        checks.add(check);
        check();
        void exited.then(({ code, signal, stdout, stderr }) => {
          reject(new Error(`${command} ended (${code ?? signal}) without printing ${pattern}:\n${stdout}\n${stderr}`));
        });
      }),
    write: (text) => void child.stdin.write(text),
    closeInput: () => void child.stdin.end(),
    signal: (signal) => void child.kill(signal),
    kill,
  };
}

/** Runs a process to its end. */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const running = await startProcess(command, args, options);
  return running.exited;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}
