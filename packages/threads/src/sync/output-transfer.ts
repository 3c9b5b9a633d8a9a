import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ThreadId } from "@loom/core";
import { systemCode } from "../errors.ts";
import type { OutputStore } from "../output-store.ts";
import { outputsNamedIn } from "../stored-outputs.ts";
import { readLines } from "../thread-lines.ts";
import type { Budget } from "./budget.ts";
import type { RemoteCall, ThreadRemote } from "./thread-remote.ts";

export type OutputEnds = {
  readonly remote: ThreadRemote;
  readonly outputs: OutputStore;
  /** How many may be in memory at once. */
  readonly places: Budget;
  /** Told of an output that the server does not take because of its size, in bytes. */
  readonly onTooLong: (id: ThreadId, sha256: string, bytes: number) => void;
};

/** Outputs that a server is asked for at once. */
const MAX_ASKED = 1_000;
/** Outputs that are remembered by name as lacking in one thread; more of them are found in its file when their time has come. */
export const MAX_LACKING = MAX_ASKED;
/** Of a thread's file, between two breaths. */
const BREATH_BYTES = 4 * 1024 * 1024;

/** Remembers one more than are remembered by name, and no more: then it is known that there are others. */
export function addLacking(lacking: Set<string>, sha256: string): void {
  if (lacking.size <= MAX_LACKING) lacking.add(sha256);
}

/**
 * The outputs that a thread's file names in front of the byte `end` and that `isWanted`, as many at once as may be asked
 * for. @throws Node's own errors.
 */
export async function* outputsIn(
  file: string,
  isWanted: (sha256: string) => boolean,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<ReadonlySet<string>, void> {
  let wanted = new Set<string>();
  let breath = BREATH_BYTES;
  for (const { bytes, position } of readLines(file)) {
    if (position >= end) break;
    for (const sha256 of outputsNamedIn(bytes.toString("utf8"))) {
      if (isWanted(sha256)) wanted.add(sha256);
      if (wanted.size < MAX_ASKED) continue;
      yield wanted;
      wanted = new Set();
    }
    if (position < breath) continue;
    breath = position + BREATH_BYTES;
    await setImmediate();
  }
  if (wanted.size > 0) yield wanted;
}

/** Sends those of the outputs that the server lacks. One that is lost here, or too long, is passed over: whoever reads says so. */
export async function sendOutputs(
  { remote, outputs, places, onTooLong }: OutputEnds,
  id: ThreadId,
  named: ReadonlySet<string>,
  call: RemoteCall,
): Promise<void> {
  const all = [...named];
  const missing: string[] = [];
  for (let from = 0; from < all.length; from += MAX_ASKED) {
    missing.push(...(await remote.missingOutputs(id, all.slice(from, from + MAX_ASKED), call)));
  }
  for (const sha256 of missing) {
    const bytes = statSync(outputs.fileOf(sha256), { throwIfNoEntry: false })?.size ?? 0;
    if (bytes > remote.maxOutputBytes) {
      onTooLong(id, sha256, bytes);
      continue;
    }
    await places.use(1, async () => {
      const content = contentOf(outputs, sha256);
      if (content !== undefined) await remote.putOutput(id, sha256, content, call);
    });
  }
}

/** Gets those of the outputs that this machine lacks, and gives those that the server does not have either (yet). */
export async function fetchOutputs(
  { remote, outputs, places }: Omit<OutputEnds, "onTooLong">,
  id: ThreadId,
  named: Iterable<string>,
  call: RemoteCall,
): Promise<string[]> {
  const lacking: string[] = [];
  for (const sha256 of named) {
    // The records that need it are in no thread yet.
    if (outputs.renew(sha256)) continue;
    await places.use(1, async () => {
      const content = await remote.output(id, sha256, call);
      if (content === undefined) lacking.push(sha256);
      // What is not what its name says counts as lost.
      else if (digestOf(content) === sha256 && isUtf8(content)) outputs.put(Buffer.from(content).toString("utf8"));
    });
  }
  return lacking;
}

/** Gets those of the outputs that have come to the server since, and gives the others: one question for all of them. */
export async function fetchLate(
  ends: OutputEnds,
  id: ThreadId,
  lacking: readonly string[],
  call: RemoteCall,
): Promise<string[]> {
  const wanted = lacking.filter((sha256) => !ends.outputs.has(sha256));
  if (wanted.length === 0) return [];
  const missing = new Set(await ends.remote.missingOutputs(id, wanted, call));
  const there = wanted.filter((sha256) => !missing.has(sha256));
  return [...missing, ...(await fetchOutputs(ends, id, there, call))];
}

function contentOf(outputs: OutputStore, sha256: string): Buffer | undefined {
  try {
    const content = readFileSync(outputs.fileOf(sha256));
    return digestOf(content) === sha256 ? content : undefined;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function digestOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
