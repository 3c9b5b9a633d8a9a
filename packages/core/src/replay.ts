import type { AgentEvent, AgentSettings, AgentState, Step } from "./agent.ts";
import type { Message } from "./content.ts";
import { startAgent, step } from "./machine.ts";

/** What a log keeps of a step, to be compared when the log is replayed. */
export type StepTrace = {
  readonly state: AgentState["type"];
  readonly actions: readonly string[];
  /** Of what the step changed and asked for. */
  readonly digest: string;
};

/**
 * Gives equal texts the same short text, and different ones almost certainly another. Handed in, because the one that
 * the platform brings takes a long answer in no time, and one written here would go through it unit by unit.
 */
export type Digest = (text: string) => string;

/** One run of the machine as a log has it. An event without a trace is not compared (merged deltas). */
export type RecordedRun = {
  readonly settings: AgentSettings;
  readonly start: { readonly messages: readonly Message[]; readonly seed: number };
  readonly entries: readonly { readonly event: AgentEvent; readonly trace?: StepTrace }[];
};

export type Replay = {
  readonly state: AgentState;
  /** Entries that were replayed, the differing one included. */
  readonly steps: number;
  /** The first entry whose replay differs from what the log says. */
  readonly mismatch?: { readonly index: number; readonly recorded: StepTrace; readonly replayed: StepTrace };
};

/** Runs a log through the machine again and compares every traced step; stops at the first difference. */
export function replay(run: RecordedRun, digest: Digest): Replay {
  let { state } = startAgent(run.start);
  for (const [index, entry] of run.entries.entries()) {
    const next = step(state, entry.event, run.settings);
    if (entry.trace !== undefined) {
      const replayed = traceStep(state, next, digest);
      if (!sameTrace(entry.trace, replayed)) {
        return { state: next.state, steps: index + 1, mismatch: { index, recorded: entry.trace, replayed } };
      }
    }
    state = next.state;
  }
  return { state, steps: run.entries.length };
}

/**
 * The trace of a step. Its cost follows what the step changed, not the length of the conversation: messages that the
 * step left alone are the same objects as before and are only counted.
 */
export function traceStep(before: AgentState, after: Step, digest: Digest): StepTrace {
  const old = new Set(before.context.messages);
  const { context, ...rest } = after.state;
  const { messages, ...counters } = context;
  const seen = {
    ...rest,
    ...counters,
    messages: messages.length,
    added: messages.filter((message) => !old.has(message)),
  };
  const text = JSON.stringify([seen, after.actions], (key, value) =>
    key === "request" || key === "pendingRequest" ? requestShape(value) : value,
  );
  return { state: after.state.type, actions: after.actions.map((action) => action.type), digest: digest(text) };
}

/** A request repeats the whole conversation. The input of a tool may have a `request` too: that stays as it is. */
function requestShape(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("messages" in value) || !Array.isArray(value.messages))
    return value;
  return { model: "model" in value ? value.model : undefined, messages: value.messages.length };
}

/** A digest of another length was made in another way, by an earlier version, and says nothing. */
function sameTrace(a: StepTrace, b: StepTrace): boolean {
  const sameDigest = a.digest === b.digest || a.digest.length !== b.digest.length;
  return sameDigest && a.state === b.state && a.actions.join() === b.actions.join();
}
