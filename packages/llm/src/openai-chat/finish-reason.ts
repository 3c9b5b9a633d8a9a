import type { JsonValue, LlmErrorCode, StopReason } from "@loom/core";

/** OpenAI's reasons, and those that compatible servers have of their own. */
const FROM_WIRE: ReadonlyMap<JsonValue | undefined, StopReason> = new Map<string, StopReason>([
  ["stop", "end_turn"],
  ["eos", "end_turn"],
  ["eos_token", "end_turn"],
  ["end_turn", "end_turn"],
  ["stop_sequence", "stop_sequence"],
  ["length", "max_tokens"],
  ["max_tokens", "max_tokens"],
  ["model_length", "context_window_exceeded"],
  ["model_context_window_exceeded", "context_window_exceeded"],
  ["content_filter", "refusal"],
  ["sensitive", "refusal"],
]);

/** Reasons that are failures: the answer up to there is not one. */
const FAILURES: ReadonlyMap<JsonValue | undefined, LlmErrorCode> = new Map<string, LlmErrorCode>([
  ["error", "overloaded"],
  ["network_error", "overloaded"],
  ["insufficient_system_resource", "overloaded"],
]);

/**
 * Some servers say `stop` although the answer calls a tool, and the other way round; the calls themselves decide, unless
 * the answer was cut or withheld. Reasons that came after this code was written are `unknown`.
 */
export function stopReasonFromWire(reason: string | undefined, said: { calls: boolean; refusal: boolean }): StopReason {
  const stop = FROM_WIRE.get(reason) ?? "unknown";
  if (stop !== "end_turn" && stop !== "unknown") return stop;
  if (said.refusal) return "refusal";
  return said.calls ? "tool_use" : stop;
}

export function failureCodeOf(reason: string): LlmErrorCode | undefined {
  return FAILURES.get(reason);
}

export function finishReasonToWire(reason: StopReason): string {
  switch (reason) {
    case "tool_use":
      return "tool_calls";
    case "max_tokens":
    case "context_window_exceeded":
    // There is more to come, and this dialect has no other word for that.
    case "pause_turn":
      return "length";
    case "refusal":
      return "content_filter";
    default:
      return "stop";
  }
}
