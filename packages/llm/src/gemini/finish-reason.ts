import type { StopReason } from "@loom/core";
import type { ProviderProblem } from "../http-failure.ts";

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

/** Why an answer failed, as far as the reason says it. */
type Failed = Pick<ProviderProblem, "code" | "retryable" | "sentence">;

/** Reasons that are failures: the answer is none, or none to the end, and the model may do better when asked again. */
const FAILURES: ReadonlyMap<string, Failed> = new Map<string, Failed>([
  ["MALFORMED_FUNCTION_CALL", wrote("The model made a call of a tool that cannot be read")],
  ["MALFORMED_RESPONSE", wrote("The model wrote an answer that cannot be read")],
  ["UNEXPECTED_TOOL_CALL", wrote("The model called a tool although it was given none")],
  ["TOO_MANY_TOOL_CALLS", wrote("The model called too many tools one after the other")],
  ["NO_IMAGE", wrote("The model was to draw an image and did not")],
  ["OTHER", wrote("The model stopped for a reason that the provider does not tell")],
  ["IMAGE_OTHER", wrote("The model stopped for a reason that the provider does not tell")],
  ["MISSING_THOUGHT_SIGNATURE", { code: "invalid_request", retryable: false }],
]);

/** The provider says STOP also where the answer calls a tool. Reasons that came after this code was written are `unknown`. */
export function stopReasonFromWire(reason: string | undefined, said: { readonly calls: boolean }): StopReason {
  const stop = FROM_WIRE.get(reason) ?? "unknown";
  return said.calls && (stop === "end_turn" || stop === "unknown") ? "tool_use" : stop;
}

export function failureOf(reason: string): Failed | undefined {
  return FAILURES.get(reason);
}

function wrote(what: string): Failed {
  return { code: "invalid_response", retryable: true, sentence: [what, "try again"] };
}

export function finishReasonToWire(reason: StopReason): string {
  switch (reason) {
    case "max_tokens":
    case "context_window_exceeded":
      return "MAX_TOKENS";
    case "refusal":
      return "SAFETY";
    case "pause_turn":
    case "unknown":
      return "OTHER";
    default:
      return "STOP";
  }
}
