import type { AgentEvent, AgentSettings, AgentState, Step } from "./agent.ts";
import type { Message } from "./content.ts";
import { startAgent, step } from "./machine.ts";

/** What a log keeps of a step, to be compared when the log is replayed. */
export type StepTrace = {
  readonly state: AgentState["type"];
  readonly actions: readonly string[];
  /** Fingerprint of what the step changed and asked for; 14 hexadecimal digits, not cryptographic. */
  readonly digest: string;
};

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
export function replay(run: RecordedRun): Replay {
  let { state } = startAgent(run.start);
  for (const [index, entry] of run.entries.entries()) {
    const next = step(state, entry.event, run.settings);
    if (entry.trace !== undefined) {
      const replayed = traceStep(state, next);
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
export function traceStep(before: AgentState, after: Step): StepTrace {
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
  return { state: after.state.type, actions: after.actions.map((action) => action.type), digest: fingerprint(text) };
}

/** A request repeats the whole conversation. The input of a tool may have a `request` too: that stays as it is. */
function requestShape(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("messages" in value) || !Array.isArray(value.messages))
    return value;
  return { model: "model" in value ? value.model : undefined, messages: value.messages.length };
}

function sameTrace(a: StepTrace, b: StepTrace): boolean {
  return a.digest === b.digest && a.state === b.state && a.actions.join() === b.actions.join();
}

/** Two 32-bit multiplicative hashes over the UTF-16 units, mixed at the end (53 bits). */
function fingerprint(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return (2 ** 32 * (high & 0x1fffff) + (low >>> 0)).toString(16).padStart(14, "0");
}
