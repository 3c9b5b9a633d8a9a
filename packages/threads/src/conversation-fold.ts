import { type AgentSettings, type AgentState, type Message, startAgent, step } from "@loom/core";
import type { EventRecord, RunRecord, ThreadHeader, ThreadRecord } from "./record.ts";
import { asWindow } from "./window.ts";

type Run = { readonly settings: AgentSettings; readonly state: AgentState };

/** What is known of a conversation of which only the end is held. */
export type HeldEnd = {
  readonly run: Run;
  /** Messages in front of those of the state. */
  readonly dropped: number;
  /** Ids of the calls in them: another call of the same id would have been renamed. */
  readonly droppedCalls: Iterable<string>;
};

/** The machine of a thread, brought from record to record to where the last one left it. */
export class ConversationFold {
  #run: Run | undefined;
  #dropped = 0;
  #droppedCalls: ReadonlySet<string> = new Set();

  constructor(end?: HeldEnd) {
    if (end === undefined) return;
    this.#run = end.run;
    this.#dropped = end.dropped;
    this.#droppedCalls = new Set(end.droppedCalls);
  }

  get run(): Run | undefined {
    return this.#run;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get droppedCalls(): ReadonlySet<string> {
    return this.#droppedCalls;
  }

  /** Gives the reason why the record does not fit where it stands, if it does not. May throw for a damaged event. */
  apply(record: Exclude<ThreadRecord, ThreadHeader>): string | undefined {
    if (record.type === "run") return this.#startRun(record);
    return record.type === "event" ? this.#step(record) : undefined;
  }

  /** The conversation a stopped machine leaves behind, by its own rules: those of a shutdown. */
  messagesAtRest(): readonly Message[] {
    if (this.#run === undefined) return [];
    return step(this.#run.state, { type: "shutdown_requested" }, this.#run.settings).state.context.messages;
  }

  #startRun({ settings, seed, messages: count, skipped = 0 }: RunRecord): string | undefined {
    const held = this.messagesAtRest();
    const total = this.#dropped + held.length;
    if (count + skipped !== total) {
      return `goes on from ${count + skipped} messages where the file holds ${total}`;
    }
    const surplus = Math.max(0, held.length - count);
    if (skipped > 0) {
      this.#dropped = count - (held.length - surplus);
      if (this.#dropped === 0) this.#droppedCalls = new Set();
    }
    const messages = skipped > 0 ? asWindow(held.slice(surplus)) : held;
    this.#run = { settings, state: startAgent({ messages, seed }).state };
    return undefined;
  }

  #step({ event, trace }: EventRecord): string | undefined {
    const run = this.#run;
    if (run === undefined) return "is an event outside of a run";
    const { state } = step(run.state, event, run.settings);
    this.#run = { settings: run.settings, state };
    if (this.#dropped === 0) return undefined;
    // Where the beginning is not held, what was recorded has to bear out that it does not matter.
    if (trace !== undefined && trace.state !== state.type) return "does not follow from the end that is held";
    if (event.type !== "llm_event" || event.event.type !== "completed") return undefined;
    const { content } = event.event.response.message;
    const isKnown = content.some((block) => block.type === "tool_use" && this.#droppedCalls.has(block.id));
    return isKnown ? "makes a call whose id was used before" : undefined;
  }
}

/** Nothing is open: another input would start a turn. */
export function isAtRest(state: AgentState): boolean {
  return state.type === "waiting_for_user_input" || state.type === "shutting_down";
}
