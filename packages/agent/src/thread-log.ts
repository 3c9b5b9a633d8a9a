import { type AgentEvent, type AgentSettings, type AgentState, type Step, traceStep } from "@loom/core";
import { stepDigest, type ThreadError, type ThreadRecord, type ThreadWriter, type UsageTotals } from "@loom/threads";
import type { Clock } from "./clock.ts";

type RunStart = { readonly settings: AgentSettings; readonly seed: number; readonly messages: number };

/**
 * Writes a session down. A disk that takes no more does not stop the turn: the person is told once, the records wait
 * in memory, and the next one tries again.
 */
export class ThreadLog {
  readonly #writer: ThreadWriter | undefined;
  readonly #clock: Clock;
  readonly #notify: (text: string) => void;
  /** Written with the first event, so that a session in which nobody speaks leaves no trace. */
  #start: RunStart | undefined;
  #failing = false;
  #at = { ms: Number.NaN, text: "" };

  constructor(options: {
    readonly writer: ThreadWriter | undefined;
    readonly clock: Clock;
    readonly start: RunStart;
    readonly notify: (text: string) => void;
  }) {
    this.#writer = options.writer;
    this.#clock = options.clock;
    this.#start = options.start;
    this.#notify = options.notify;
  }

  event(before: AgentState, event: AgentEvent, after: Step): void {
    if (this.#writer === undefined) return;
    const at = this.#now();
    if (this.#start !== undefined) {
      if (event.type === "shutdown_requested") return;
      // Ahead of the settings, which may be long: a list reads only the beginning of each file.
      const title = this.#start.messages === 0 ? titleOf(event) : "";
      if (title !== "") this.#append({ type: "title", at, title });
      this.#append({ type: "run", at, ...this.#start });
      this.#start = undefined;
    }
    if (isFrequent(event)) this.#append({ type: "event", at, event });
    else this.#append({ type: "event", at, event, trace: traceStep(before, after, stepDigest) });
  }

  commit(sha: string, message: string): void {
    this.#append({ type: "commit", at: this.#now(), sha, message });
  }

  usage(totals: UsageTotals): void {
    // Before the first event there is nothing it could be the usage of.
    if (this.#start === undefined) this.#append({ type: "usage", at: this.#now(), totals });
  }

  close(): Promise<ThreadError | undefined> {
    return this.#writer?.close() ?? Promise.resolve(undefined);
  }

  #append(record: ThreadRecord): void {
    const problem = this.#writer?.append(record);
    if (problem !== undefined && !this.#failing) this.#notify(problem.message);
    if (problem === undefined && this.#failing) this.#notify("The thread is saved again, with nothing missing.");
    this.#failing = problem !== undefined;
  }

  /** Made once per millisecond: deltas come faster than that. */
  #now(): string {
    const now = this.#clock.now();
    if (now !== this.#at.ms) this.#at = { ms: now, text: new Date(now).toISOString() };
    return this.#at.text;
  }
}

/** Comes in thousands; the writer merges it, so that there is no single step to trace. */
function isFrequent(event: AgentEvent): boolean {
  if (event.type === "tool_progress") return true;
  return event.type === "llm_event" && (event.event.type === "text_delta" || event.event.type === "thinking_delta");
}

const MAX_TITLE_UNITS = 200;

function titleOf(event: AgentEvent): string {
  if (event.type !== "user_input") return "";
  const text = event.input.map((block) => (block.type === "text" ? block.text : "")).join(" ");
  return text.trim().split(/\r?\n/, 1).join("").slice(0, MAX_TITLE_UNITS).toWellFormed();
}
