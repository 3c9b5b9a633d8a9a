import { type AgentEvent, type AgentState, startAgent, step, traceStep } from "@loom/core";
import { call, completed, llm, SETTINGS, says } from "./events.testing.ts";
import { stepDigest } from "./step-digest.ts";
import type { ThreadWriter } from "./thread-writer.ts";
import { NO_TOTALS } from "./usage-totals.ts";

const AT = "2026-11-20T10:00:00.000Z";

export type Writing = { readonly messages: AgentState["context"]["messages"]; readonly skipped?: number };

/** Drives a machine through whole turns, each with one call of a tool, and writes them down as a session does. */
export class TurnWriter {
  readonly #writer: ThreadWriter;
  #state: AgentState;
  #calls = 0;

  constructor(writer: ThreadWriter, { messages, skipped = 0 }: Writing = { messages: [] }) {
    this.#writer = writer;
    this.#state = startAgent({ messages, seed: 7 }).state;
    const start = { settings: SETTINGS, seed: 7, messages: messages.length, ...(skipped > 0 ? { skipped } : {}) };
    writer.append({ type: "run", at: AT, ...start });
  }

  get state(): AgentState {
    return this.#state;
  }

  /** One turn; a list of outputs is as many blocks of one result. `callId` unless each call is to have an id of its own. */
  turn(
    words: string,
    output: string | readonly string[],
    callId = `${this.#writer.id.slice(-6)}-${++this.#calls}`,
  ): void {
    this.event(says(words));
    const { requestId } = this.#state.context;
    this.event(llm(requestId, completed([call(callId)], 3)));
    this.event({
      type: "tool_completed",
      callId: this.#openCall(),
      outcome: { type: "success", content: [output].flat().map((text) => ({ type: "text", text })), changed: false },
    });
    this.event(llm(requestId + 1, completed([{ type: "text", text: `done with ${words}` }], 3)));
    this.#writer.append({ type: "usage", at: AT, totals: NO_TOTALS });
  }

  event(event: AgentEvent): void {
    const next = step(this.#state, event, SETTINGS);
    this.#writer.append({ type: "event", at: AT, event, trace: traceStep(this.#state, next, stepDigest) });
    this.#state = next.state;
  }

  #openCall(): string {
    return this.#state.type === "executing_tools" ? (this.#state.executions[0]?.call.id ?? "") : "";
  }
}
