import { fstatSync } from "node:fs";
import { CliError } from "../exit-codes.ts";

const MAX_BYTES = 1024 * 1024;

/** How long piped text may take to begin, and to end, when nobody said that it is the prompt. */
const FIRST_BYTE_MS = 500;
const END_MS = 5_000;

export type PipedText = {
  readonly text: string;
  /** Why not all of it is here; one sentence. */
  readonly cut?: string;
};

/**
 * What is piped in beside a prompt. Many who start Loom leave standard input open without ever writing to it, so the
 * wait is bounded, and so is the size; "" where standard input is a terminal, empty or silent.
 */
export async function readPipedContext(signal: AbortSignal): Promise<PipedText> {
  const stat = fstatSync(0);
  if (!stat.isFIFO() && !stat.isSocket() && !stat.isFile()) return { text: "" };
  // A file has an end.
  const waits = stat.isFile() ? {} : { firstByteMs: FIRST_BYTE_MS, endMs: END_MS };
  const { text, stop } = await collect({ ...waits, signal });
  if (stop === "size") return { text, cut: "Standard input is larger than 1 MiB: the rest was left out." };
  if (stop !== "time" || text === "") return { text };
  return { text, cut: `Standard input did not end within ${END_MS / 1_000} s: what came until then was taken.` };
}

/**
 * The prompt of `-p -`: standard input to its end.
 * @throws CliError `usage` where it is larger than 1 MiB; the reason of `signal` when that is aborted.
 */
export async function readPipedPrompt(signal: AbortSignal): Promise<string> {
  const { text, stop } = await collect({ signal });
  if (stop === "size") throw new CliError("usage", "The prompt on standard input is larger than 1 MiB.");
  return text;
}

type Bounds = { readonly firstByteMs?: number; readonly endMs?: number; readonly signal: AbortSignal };

type Collected = { readonly text: string; readonly stop: "end" | "time" | "size" };

function collect({ firstByteMs, endMs, signal }: Bounds): Promise<Collected> {
  const { promise, resolve, reject } = Promise.withResolvers<Collected>();
  const input = process.stdin;
  const chunks: Buffer[] = [];
  let size = 0;
  const finish = (stop: Collected["stop"]) => {
    resolve({ text: Buffer.concat(chunks).toString("utf8", 0, MAX_BYTES), stop });
  };
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BYTES) finish("size");
  };
  const onEnd = () => finish("end");
  const onAbort = () => reject(signal.reason);
  // After an immediate: what arrived while the process was busy loading is read before the time counts as over.
  const timers = [
    firstByteMs && setTimeout(() => setImmediate(() => size === 0 && finish("time")), firstByteMs),
    endMs && setTimeout(() => setImmediate(() => finish("time")), endMs),
  ];
  input.on("data", onData).on("end", onEnd).on("error", onEnd);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    input.off("data", onData).off("end", onEnd).off("error", onEnd);
    // So that an input which never closes does not keep the process alive.
    input.on("error", () => undefined).destroy();
  });
}
