import type { JsonValue, StopReason } from "@loom/core";

const FROM_WIRE: ReadonlyMap<JsonValue | undefined, StopReason> = new Map<string, StopReason>([
  ["end_turn", "end_turn"],
  ["tool_use", "tool_use"],
  ["max_tokens", "max_tokens"],
  ["stop_sequence", "stop_sequence"],
  ["refusal", "refusal"],
  ["pause_turn", "pause_turn"],
  ["model_context_window_exceeded", "context_window_exceeded"],
]);

/** Reasons that came after this code was written are `unknown`. */
export function stopReasonFromWire(value: JsonValue | undefined): StopReason {
  return FROM_WIRE.get(value) ?? "unknown";
}

export function stopReasonToWire(reason: StopReason): string {
  if (reason === "context_window_exceeded") return "model_context_window_exceeded";
  return reason === "unknown" ? "end_turn" : reason;
}
