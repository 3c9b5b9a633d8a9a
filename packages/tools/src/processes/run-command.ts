import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { accessSync, constants, statSync } from "node:fs";
import { Socket } from "node:net";
import { constants as systemConstants } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Readable } from "node:stream";
import { systemErrorCode, ToolFailure } from "../failure.ts";
import { EndMarker } from "./end-marker.ts";
import type { LocalProcessesOptions } from "./local-processes.ts";
import type { CommandEnd, RunOptions } from "./operations.ts";
import { COMMAND_VARIABLE, endTree, isRunning } from "./process-tree.ts";

/**
 * Runs `$1 -c $2` with its output in a real pipe and `$3` and the exit code behind it. Node's own pipes are sockets,
 * where `echo x > /dev/stderr` fails; and the marker says where the output of the command itself ends, even if
 * something in the background still writes. The reader outlives SIGTERM, so that last words are heard.
 */
const WRAPPER = `{ ${COMMAND_VARIABLE}="$4" "$1" -c "$2" 2>&1; printf '%s%s\\n' "$3" "$?"; } | { trap '' TERM; exec "$5"; }`;

/** How long the wrapper may take to leave after the marker, before we say that something holds its output. */
const WRAPPER_EXIT_MS = 250;
/** How long to wait for the last output of a command that was killed. */
const LAST_OUTPUT_MS = 1_000;

type ShellProcess = ChildProcessByStdio<null, Readable, null>;

export type CommandOptions = LocalProcessesOptions &
  RunOptions & {
    readonly command: string;
    /** Carried by every process that the command starts; ends in `:`. */
    readonly id: string;
  };

/** Runs one command and everything that belongs to it. See `ProcessOperations.run`. */
export async function runCommand(options: CommandOptions): Promise<CommandEnd> {
  const { command, environment, id } = options;
  if (command.includes("\0")) throw new ToolFailure("invalid_arguments", "A command cannot hold a NUL character.");
  const shell = findProgram("bash", environment.PATH) ?? "/bin/sh";
  const reader = findProgram("cat", environment.PATH) ?? "/bin/cat";
  const marker = `\x1eloom:${randomUUID()}:`;
  const child = await start(["-c", WRAPPER, "loom", shell, command, marker, id, reader], options);
  try {
    return await follow(child, marker, options);
  } finally {
    letGo(child);
  }
}

async function start(wrapper: readonly string[], { root, environment }: CommandOptions): Promise<ShellProcess> {
  try {
    const child = spawn("/bin/sh", wrapper, {
      cwd: root,
      env: { ...environment },
      // A session and process group of its own: it can be ended as a whole, and has no terminal to ask on.
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once("spawn", resolve).once("error", reject);
    await promise;
    return child;
  } catch (error) {
    throw new ToolFailure("io", `Could not run the command: ${reasonOf(error, root)}.`, { cause: error });
  }
}

function reasonOf(error: unknown, root: string): string {
  if (statSync(root, { throwIfNoEntry: false }) === undefined) return `the workspace ${root} is gone`;
  const code = systemErrorCode(error);
  return code === "E2BIG" ? "it is too long" : `the system refused to start a shell (${code ?? "unknown reason"})`;
}

async function follow(
  child: ShellProcess,
  marker: string,
  { id, timeoutMs, signal, onOutput }: CommandOptions,
): Promise<CommandEnd> {
  const stopping = Promise.withResolvers<"timeout" | "aborted">();
  const timer = setTimeout(() => stopping.resolve("timeout"), timeoutMs);
  const onAbort = () => stopping.resolve("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const wrapperEnd = new Promise<string | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  const end = new EndMarker(marker);
  const finished = deliver(child.stdout, end, onOutput).then(() => "exited" as const);
  try {
    const reason = await Promise.race([finished, stopping.promise]);
    if (reason !== "exited") {
      await endTree({ shell: livingShell(child), idPrefix: id });
      await within(LAST_OUTPUT_MS, finished);
      return { reason, exitCode: null, signal: null, leftRunning: false };
    }
    const wrapper = await within(WRAPPER_EXIT_MS, wrapperEnd);
    const exitCode = end.exitCode ?? null;
    return {
      reason,
      exitCode,
      signal: exitCode === null ? (wrapper ?? null) : signalOf(exitCode),
      leftRunning: wrapper === undefined ? isRunning(id) : groupLives(child.pid),
    };
  } catch (error) {
    // Whoever takes the output failed, e.g. on a full disk: nobody is left to read what the command says.
    await endTree({ shell: livingShell(child), idPrefix: id });
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** Hands on the output up to the marker, or to the end of the stream if there is none. */
async function deliver(output: Readable, end: EndMarker, onOutput: RunOptions["onOutput"]): Promise<void> {
  // Not `for await`: leaving the loop would destroy the stream, and with it what still runs in the background.
  const ended = Promise.withResolvers<void>();
  let queue: Promise<void> = Promise.resolve();
  const take = (bytes: Buffer) => {
    if (bytes.length === 0) return;
    output.pause();
    queue = queue.then(() => onOutput(bytes)).then(() => void output.resume());
    queue.catch(ended.reject);
  };
  const onData = (chunk: Buffer) => {
    take(end.push(chunk));
    if (end.exitCode !== undefined) ended.resolve();
  };
  output.on("data", onData);
  output.once("error", ended.reject);
  output.once("end", () => {
    take(end.end());
    ended.resolve();
  });
  await ended.promise;
  output.off("data", onData);
  await queue;
}

/** What is left in the background may go on writing, to nobody, and must not keep Loom from ending. */
function letGo(child: ShellProcess): void {
  const output = child.stdout;
  output.on("error", () => undefined);
  output.resume();
  child.unref();
  if (output instanceof Socket) output.unref();
}

/** Once it is collected, its id may belong to somebody else. */
function livingShell(child: ShellProcess): number | undefined {
  return child.exitCode === null && child.signalCode === null ? child.pid : undefined;
}

/** The value, or undefined if it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function groupLives(group: number | undefined): boolean {
  try {
    return group !== undefined && process.kill(-group, 0);
  } catch {
    return false;
  }
}

/** Shells report a death by signal n as exit code 128 + n. */
function signalOf(exitCode: number): string | null {
  const number = exitCode - 128;
  return Object.entries(systemConstants.signals).find(([, value]) => value === number)?.[0] ?? null;
}

function findProgram(name: string, path: string | undefined): string | undefined {
  const candidates = (path ?? "").split(":").filter(isAbsolute);
  return candidates
    .map((directory) => join(directory, name))
    .find((program) => {
      try {
        accessSync(program, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
