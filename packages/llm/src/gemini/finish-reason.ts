import type { LlmErrorCode, StopReason } from "@loom/core";

const FROM_WIRE: ReadonlyMap<string | undefined, StopReason> = new Map<string, StopReason>([
  ["STOP", "end_turn"],
  ["MAX_TOKENS", "max_tokens"],
  ["SAFETY", "refusal"],
  ["RECITATION", "refusal"],
  ["LANGUAGE", "refusal"],
  ["BLOCKLIST", "refusal"],
  ["PROHIBITED_CONTENT", "refusal"],
  ["SPII", "refusal"],
  ["MODEL_ARMOR", "refusal"],
  ["IMAGE_SAFETY", "refusal"],
  ["IMAGE_PROHIBITED_CONTENT", "refusal"],
  ["IMAGE_RECITATION", "refusal"],
]);

/** Reasons that are failures: the model wrote what is no call, and may do better when asked again. */
const FAILURES: ReadonlyMap<string, { readonly code: LlmErrorCode; readonly retryable: boolean }> = new Map([
  ["MALFORMED_FUNCTION_CALL", { code: "invalid_response", retryable: true }],
  ["MALFORMED_RESPONSE", { code: "invalid_response", retryable: true }],
  ["UNEXPECTED_TOOL_CALL", { code: "invalid_response", retryable: true }],
  ["MISSING_THOUGHT_SIGNATURE", { code: "invalid_request", retryable: false }],
]);

/** The provider says STOP also where the answer calls a tool. Reasons that came after this code was written are `unknown`. */
export function stopReasonFromWire(reason: string | undefined, said: { readonly calls: boolean }): StopReason {
  const stop = FROM_WIRE.get(reason) ?? "unknown";
  return said.calls && (stop === "end_turn" || stop === "unknown") ? "tool_use" : stop;
}

export function failureOf(reason: string): { readonly code: LlmErrorCode; readonly retryable: boolean } | undefined {
  return FAILURES.get(reason);
}

export function finishReasonToWire(reason: StopReason): string {
  switch (reason) {
    case "max_tokens":
    case "context_window_exceeded":
      return "MAX_TOKENS";
    case "refusal":
      return "SAFETY";
    case "unknown":
      return "OTHER";
    default:
      return "STOP";
  }
}
