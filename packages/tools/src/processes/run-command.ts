import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, statSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { constants as systemConstants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { systemErrorCode, ToolFailure } from "../failure.ts";
import { EndMarker } from "./end-marker.ts";
import type { LocalProcessesOptions } from "./local-processes.ts";
import type { CommandEnd, RunOptions } from "./operations.ts";
import { closePipe, type OutputPipe, type OutputPipes } from "./output-pipes.ts";
import { processTable } from "./process-table.ts";
import { COMMAND_VARIABLE, endTree, isRunning } from "./process-tree.ts";

/** How long the output may stay open after the command has ended, before we say that something holds it. */
const LET_GO_MS = 250;
/** How long to wait for the last output of a command that was killed. */
const LAST_OUTPUT_MS = 1_000;
/** How often to try again to mark the end in a pipe that is full. */
const MARK_AGAIN_MS = 2;

export type CommandOptions = LocalProcessesOptions &
  RunOptions & {
    readonly command: string;
    /** Carried by every process that the command starts; ends in `:`. */
    readonly id: string;
    readonly pipes: OutputPipes;
    /** Absolute path. */
    readonly shell: string;
  };

/**
 * A shell that runs a command. Its exit status comes from the system alone, and the end of its output from us: nothing
 * that the command prints or reads can be taken for either.
 */
type Running = {
  readonly child: ChildProcess;
  readonly output: Socket;
  readonly ended: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly ownWriter: number;
};

/** Runs one command and everything that belongs to it. See `ProcessOperations.run`. */
export async function runCommand(options: CommandOptions): Promise<CommandEnd> {
  if (options.command.includes("\0")) {
    throw new ToolFailure("invalid_arguments", "A command cannot hold a NUL character.");
  }
  const running = await start(options);
  try {
    return await follow(running, options);
  } finally {
    letGo(running);
  }
}

async function start({ command, id, root, environment, pipes, shell }: CommandOptions): Promise<Running> {
  let pipe: OutputPipe | undefined;
  try {
    pipe = await pipes.take(environment.PATH);
    const child = spawn(shell, ["-c", command], {
      cwd: root,
      env: { ...environment, [COMMAND_VARIABLE]: id },
      // A session and process group of its own: it can be ended as a whole, and has no terminal to ask on.
      detached: true,
      stdio: ["ignore", pipe.writer, pipe.writer],
    });
    const ended: Running["ended"] = new Promise((resolve) => {
      child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    });
    await once(child, "spawn");
    closeSync(pipe.writer);
    return { child, output: new Socket({ fd: pipe.reader, writable: false }), ended, ownWriter: pipe.ownWriter };
  } catch (error) {
    if (pipe !== undefined) closePipe(pipe);
    throw new ToolFailure("io", `Could not run the command: ${reasonOf(error, root)}.`, { cause: error });
  }
}

function reasonOf(error: unknown, root: string): string {
  if (statSync(root, { throwIfNoEntry: false }) === undefined) return `the workspace ${root} is gone`;
  const code = systemErrorCode(error);
  return code === "E2BIG" ? "it is too long" : `the system refused to start a shell (${code ?? "unknown reason"})`;
}

async function follow(running: Running, { id, timeoutMs, signal, onOutput }: CommandOptions): Promise<CommandEnd> {
  const { child, output } = running;
  const stopping = Promise.withResolvers<"timeout" | "aborted">();
  const timer = setTimeout(() => stopping.resolve("timeout"), timeoutMs);
  const onAbort = () => stopping.resolve("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const released = new Promise<true>((resolve) => output.once("close", () => resolve(true)));
  const finished = deliver(running, onOutput).then(() => "exited" as const);
  try {
    const reason = await Promise.race([finished, stopping.promise]);
    if (reason !== "exited") {
      await endTree({ shell: livingShell(child), idPrefix: id });
      await within(LAST_OUTPUT_MS, finished);
      return { reason, exitCode: null, signal: null, leftRunning: false };
    }
    const end = await running.ended;
    const exitCode = end.signal === null ? end.exitCode : 128 + systemConstants.signals[end.signal];
    const isHeld = (await within(LET_GO_MS, released)) === undefined;
    return {
      reason,
      exitCode,
      signal: end.signal ?? signalOf(exitCode),
      leftRunning: isHeld ? isRunning(id) : groupLives(child.pid),
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
async function deliver({ output, ended, ownWriter }: Running, onOutput: RunOptions["onOutput"]): Promise<void> {
  // Not `for await`: leaving the loop would destroy the stream, and with it what still runs in the background.
  const done = Promise.withResolvers<void>();
  let queue: Promise<void> = Promise.resolve();
  let end: EndMarker | undefined;
  const take = (bytes: Buffer) => {
    if (bytes.length === 0) return;
    output.pause();
    queue = queue.then(() => onOutput(bytes)).then(() => void output.resume());
    queue.catch(done.reject);
  };
  const onData = (chunk: Buffer) => {
    take(end === undefined ? chunk : end.push(chunk));
    if (end?.passed) done.resolve();
  };
  output.on("data", onData);
  output.once("error", done.reject);
  output.once("end", () => {
    if (end !== undefined) take(end.end());
    done.resolve();
  });
  void ended.then(() => {
    const marker = randomBytes(24);
    end = new EndMarker(marker);
    return mark(ownWriter, marker);
  });
  await done.promise;
  output.off("data", onData);
  await queue;
}

/** Writes the marker, whole, behind what is in the pipe, and gives up our own hold on it. */
async function mark(writer: number, marker: Buffer): Promise<void> {
  try {
    while (!wrote(writer, marker)) await delay(MARK_AGAIN_MS);
  } finally {
    closeSync(writer);
  }
}

/** As little as this goes into a pipe at once or not at all (POSIX, `PIPE_BUF`). False if it is full now. */
function wrote(writer: number, marker: Buffer): boolean {
  try {
    writeSync(writer, marker);
    return true;
  } catch (error) {
    // With nobody left to read, there is nothing to be marked.
    return systemErrorCode(error) !== "EAGAIN";
  }
}

/** What is left in the background may go on writing, to nobody, and must not keep Loom from ending. */
function letGo({ child, output }: Running): void {
  output.on("error", () => undefined);
  output.resume();
  child.unref();
  output.unref();
}

/** Once it is collected, its id may belong to somebody else. */
function livingShell(child: ChildProcess): number | undefined {
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

/** Whether a process of this group lives; one that has ended and was not collected yet does not count. */
function groupLives(group: number | undefined): boolean {
  try {
    if (group === undefined || !process.kill(-group, 0)) return false;
  } catch {
    return false;
  }
  return processTable().some((entry) => entry.group === group);
}

/** Shells report a death by signal n as exit code 128 + n. */
function signalOf(exitCode: number | null): string | null {
  const number = (exitCode ?? 0) - 128;
  return Object.entries(systemConstants.signals).find(([, value]) => value === number)?.[0] ?? null;
}
