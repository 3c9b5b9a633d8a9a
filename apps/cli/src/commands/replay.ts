import { resolve } from "node:path";
import { replay } from "@loom/core";
import { loadThread, stepDigest } from "@loom/threads";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";

/** What `loom replay --json` prints. */
type Verdict = {
  readonly thread: string;
  readonly runs: number;
  readonly steps: number;
  /** Steps whose states and actions were compared; merged deltas are not. */
  readonly compared: number;
  /** The last line was not written to its end and is left out. */
  readonly torn: boolean;
  readonly difference?: {
    /** 1-based. */
    readonly run: number;
    readonly record: number;
    readonly event: string;
    readonly recorded: { readonly state: string; readonly actions: readonly string[] };
    readonly replayed: { readonly state: string; readonly actions: readonly string[] };
  };
};

export async function run(invocation: Invocation): Promise<number> {
  const [file = ""] = invocation.arguments;
  const verdict = verify(resolve(file));
  process.stdout.write(invocation.flags.has("--json") ? `${JSON.stringify(verdict)}\n` : sentence(verdict));
  return exitCodeOf(verdict.difference === undefined ? "ok" : "replay_differs");
}

/** Runs every run of the thread again, up to the first difference. */
function verify(file: string): Verdict {
  const { header, runs, torn } = loadThread(file);
  let steps = 0;
  let compared = 0;
  for (const [index, run] of runs.entries()) {
    const result = replay(run, stepDigest);
    steps += result.steps;
    compared += run.entries.slice(0, result.steps).filter((entry) => entry.trace !== undefined).length;
    if (result.mismatch === undefined) continue;
    const { index: record, recorded, replayed } = result.mismatch;
    const event = run.entries[record]?.event.type ?? "";
    const difference = { run: index + 1, record: record + 1, event, recorded, replayed };
    return { thread: header.id, runs: runs.length, steps, compared, torn, difference };
  }
  return { thread: header.id, runs: runs.length, steps, compared, torn };
}

function sentence({ thread, runs, steps, compared, torn, difference }: Verdict): string {
  const end = torn ? "The last line of the file is torn, as a crash leaves it, and was left out.\n" : "";
  if (difference === undefined) {
    if (steps === 0) return `${thread}: nothing was recorded, so there is nothing to compare.\n${end}`;
    return `${thread}: ${steps} events in ${runs} runs, ${compared} steps compared, all as recorded.\n${end}`;
  }
  const { run, record, event, recorded, replayed } = difference;
  return (
    `${thread} differs in run ${run} at event ${record} (${event}):\n` +
    `  recorded  ${recorded.state} [${recorded.actions.join(", ")}]\n` +
    `  replayed  ${replayed.state} [${replayed.actions.join(", ")}]\n` +
    `Where both lines are the same, what the step changed differs.\n${end}`
  );
}
