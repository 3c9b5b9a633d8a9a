import * as z from "zod";
import { defineTool } from "../define-tool.ts";
import { ToolFailure } from "../failure.ts";
import type { CommandEnd } from "../processes/operations.ts";
import type { ToolContext, ToolDisplay, ToolResult } from "../tool.ts";
import type { OutputExcerpt } from "./output-spool.ts";
import { OutputSpool } from "./output-spool.ts";
import { terminalText, wholeCharacters } from "./terminal-text.ts";

const DEFAULT_TIMEOUT_SECONDS = 60;
const MAX_TIMEOUT_SECONDS = 300;
/** Linux takes 128 KiB for one argument of a program. */
const MAX_COMMAND_LENGTH = 100_000;
/** The time for ending a process tree, on top of the command's own. */
const STOPPING_MS = 15_000;
const PROGRESS_INTERVAL_MS = 100;
const MAX_PROGRESS_LENGTH = 200;
const MAX_DISPLAYED_CHARACTERS = 4_000;

export const bash = defineTool({
  name: "bash",
  description:
    "Run a bash command in the workspace and return its output (stdout and stderr). " +
    "No input and no terminal. Long output is cut in the middle and kept whole in a file.",
  input: z.strictObject({
    command: z.string().min(1).max(MAX_COMMAND_LENGTH),
    timeoutSeconds: z.int().min(1).max(MAX_TIMEOUT_SECONDS).default(DEFAULT_TIMEOUT_SECONDS),
  }),
  effects: "workspace",
  deadlineMs: ({ timeoutSeconds }) => timeoutSeconds * 1_000 + STOPPING_MS,
  describe: ({ command }) => `Run ${firstLine(command)}`,
  async run({ command, timeoutSeconds }, context) {
    const spool = new OutputSpool(context.outputDirectory);
    const progress = progressLines(context.onProgress);
    let end: CommandEnd;
    try {
      end = await context.processes.run(command, {
        timeoutMs: timeoutSeconds * 1_000,
        signal: context.signal,
        onOutput: async (chunk) => {
          progress(chunk);
          await spool.write(chunk);
        },
      });
    } catch (error) {
      // Stopped for printing too much, say. What it had printed is still worth reading.
      if (!(error instanceof ToolFailure)) throw error;
      throw failure(error.code, command, error.message, spool.excerpt());
    } finally {
      await spool.close();
    }
    return resultOf(command, end, spool.excerpt(), timeoutSeconds);
  },
});

function resultOf(command: string, end: CommandEnd, output: OutputExcerpt, timeoutSeconds: number): ToolResult {
  if (end.reason === "timeout") {
    const advice =
      timeoutSeconds < MAX_TIMEOUT_SECONDS ? ` Give timeoutSeconds (up to ${MAX_TIMEOUT_SECONDS}) for more.` : "";
    const message = `The command was stopped after ${timeoutSeconds} s, with everything it had started.${advice}`;
    throw failure("timeout", command, message, output);
  }
  if (end.reason === "aborted") {
    throw failure("interrupted", command, "The command was stopped, with everything it had started.", output);
  }
  const text = outputText(output);
  const notes = [endNote(end), end.leftRunning ? "[processes started in the background are still running]" : ""];
  const model = [text === "" ? "(no output)" : text, ...notes].filter((part) => part !== "").join("\n");
  return { model, display: displayOf(command, output, end.exitCode), changed: "unknown" };
}

function endNote({ exitCode, signal }: CommandEnd): string {
  if (exitCode === 0) return "";
  if (exitCode === null) return `[the command was killed${signal === null ? "" : ` by ${signal}`}]`;
  return signal === null ? `[exit code ${exitCode}]` : `[exit code ${exitCode}: killed by ${signal}]`;
}

function failure(code: ToolFailure["code"], command: string, message: string, output: OutputExcerpt): ToolFailure {
  const text = outputText(output);
  return new ToolFailure(code, text === "" ? message : `${message} Its output:\n${text}`, {
    display: displayOf(command, output, null),
    changed: "unknown",
  });
}

/** Beginning and end for the model, with a line between them that says what is missing and where it is. */
function outputText({ start, end, totalBytes, file }: OutputExcerpt): string {
  if (start.length === totalBytes) return terminalText(start).trimEnd();
  const head = wholeCharacters(start);
  const tail = wholeCharacters(end);
  const missing = totalBytes - head.length - tail.length;
  const where = file === undefined ? "could not be kept" : `all of it is in ${file}; read parts of it with bash`;
  return `${terminalText(head)}\n[... ${missing} of ${totalBytes} bytes left out; ${where} ...]\n${terminalText(tail).trimEnd()}`;
}

function displayOf(command: string, output: OutputExcerpt, exitCode: number | null): ToolDisplay {
  const last = output.end.length > 0 ? output.end : output.start;
  const text = terminalText(wholeCharacters(last)).trimEnd().slice(-MAX_DISPLAYED_CHARACTERS);
  const file = output.file === undefined ? {} : { outputFile: output.file };
  return { kind: "command", command, exitCode, output: text, ...file };
}

/** Reports the newest line, ten times a second at most. */
function progressLines(onProgress: ToolContext["onProgress"]): (chunk: Uint8Array) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (chunk) => {
    const now = performance.now();
    if (now - last < PROGRESS_INTERVAL_MS) return;
    const tail = terminalText(wholeCharacters(chunk.subarray(-4 * MAX_PROGRESS_LENGTH)));
    const message = tail.trimEnd().split("\n").at(-1)?.trim().slice(0, MAX_PROGRESS_LENGTH);
    if (message === undefined || message === "") return;
    last = now;
    onProgress({ message });
  };
}

function firstLine(command: string): string {
  const line = command.trim().split("\n", 1)[0] ?? "";
  return line.length > 100 || command.trim().includes("\n") ? `${line.slice(0, 100)}…` : line;
}
