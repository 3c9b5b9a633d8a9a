import type { LlmEvent } from "@loom/core";

type Delta = Exclude<LlmEvent, { type: "completed" | "error" }>;

/** Deltas that have to wait for the block that is open, those of one call as one. */
export class WaitingDeltas {
  #deltas: Delta[] = [];
  readonly #calls = new Map<string, number>();

  add(delta: Delta): void {
    if (delta.type === "tool_call_delta") this.#addToCall(delta);
    else this.#deltas.push(delta);
  }

  /** What waits, in the order in which it began; after that nothing does. */
  take(): readonly Delta[] {
    const deltas = this.#deltas;
    this.#deltas = [];
    this.#calls.clear();
    return deltas;
  }

  #addToCall(delta: Extract<Delta, { type: "tool_call_delta" }>): void {
    const index = this.#calls.get(delta.callId);
    const known = index === undefined ? undefined : this.#deltas[index];
    if (index === undefined || known?.type !== "tool_call_delta") {
      this.#calls.set(delta.callId, this.#deltas.length);
      this.#deltas.push(delta);
      return;
    }
    this.#deltas[index] = { ...known, argumentsFragment: known.argumentsFragment + delta.argumentsFragment };
  }
}
