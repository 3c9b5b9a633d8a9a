import type { AgentError, LlmResponse, TurnOutcome } from "@loom/core";
import { addResponse, NO_TOTALS, type UsageTotals } from "@loom/threads";
import type { StopCause, TurnResult } from "./session-types.ts";

/** What one turn has taken and said so far. */
export class TurnLedger {
  readonly #startedAt: number;
  #totals: UsageTotals = NO_TOTALS;
  #text = "";
  #turns = 0;
  #toolCalls = 0;
  #error: AgentError | undefined;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  answered(response: LlmResponse): void {
    this.used(response);
    this.#turns += 1;
    this.#text = response.message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
  }

  used(response: Pick<LlmResponse, "usage" | "costMicroUsd">): void {
    this.#totals = addResponse(this.#totals, response);
  }

  calledTools(count: number): void {
    this.#toolCalls += count;
  }

  failed(error: AgentError): void {
    this.#error = error;
  }

  result(outcome: TurnOutcome, now: number, cause: StopCause | undefined): TurnResult {
    const error = outcome === "failed" ? this.#error : undefined;
    return {
      outcome,
      ...(outcome === "interrupted" && cause !== undefined ? { cause } : {}),
      ...(error === undefined ? {} : { error }),
      text: this.#text,
      turns: this.#turns,
      ...this.#totals,
      toolCalls: this.#toolCalls,
      durationMs: now - this.#startedAt,
    };
  }
}
