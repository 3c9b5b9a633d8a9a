import type { AgentEvent } from "@loom/core";
import type { EventRecord } from "./record.ts";

/** Text a stream may gather in memory before it is written without waiting for an event that matters. */
const MAX_HELD_UNITS = 64 * 1024;
const MAX_HELD_MS = 500;

type Held = {
  readonly at: string;
  readonly atMs: number;
  readonly requestId: number;
  readonly kind: "text_delta" | "thinking_delta";
  text: string;
};

/**
 * Holds back what comes in thousands and matters little one by one: deltas of one kind become one record, and of a
 * call's progress only the newest is kept. A replay of the merged records ends in the same state.
 */
export class RecordMerger {
  #delta: Held | undefined;
  readonly #progress = new Map<string, EventRecord>();

  /** Takes the record if it may wait; gives what has to be written now, oldest first. */
  take(record: EventRecord, nowMs: number): { readonly taken: boolean; readonly due: EventRecord[] } {
    const { event } = record;
    if (event.type === "tool_progress") {
      this.#progress.set(event.callId, record);
      return { taken: true, due: [] };
    }
    const delta = deltaOf(event);
    if (delta === undefined) return { taken: false, due: this.drain() };
    const held = this.#delta;
    if (held === undefined || held.kind !== delta.kind || held.requestId !== delta.requestId) {
      const due = this.drain();
      this.#delta = { at: record.at, atMs: nowMs, ...delta };
      return { taken: true, due };
    }
    held.text += delta.text;
    const full = held.text.length >= MAX_HELD_UNITS || nowMs - held.atMs >= MAX_HELD_MS;
    return { taken: true, due: full ? this.drain() : [] };
  }

  /** Gives up all that is held. */
  drain(): EventRecord[] {
    const due = [...this.#progress.values()];
    this.#progress.clear();
    if (this.#delta !== undefined) {
      const { at, requestId, kind, text } = this.#delta;
      due.push({ type: "event", at, event: { type: "llm_event", requestId, event: { type: kind, text } } });
      this.#delta = undefined;
    }
    return due;
  }
}

function deltaOf(event: AgentEvent): Pick<Held, "requestId" | "kind" | "text"> | undefined {
  if (event.type !== "llm_event") return undefined;
  const { requestId, event: inner } = event;
  if (inner.type !== "text_delta" && inner.type !== "thinking_delta") return undefined;
  return { requestId, kind: inner.type, text: inner.text };
}
