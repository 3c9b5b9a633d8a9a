import type { LlmErrorCode, LlmEvent, LlmFailure, LlmResponse, StopReason, Usage } from "@loom/core";

/**
 * A parsed event of Loom's own stream, if it is one. Both sides are ours, so this looks at what a consumer would trip
 * over and at nothing else; fields that it does not know stay.
 */
export function readLoomEvent(value: unknown): LlmEvent | "unknown" | "malformed" {
  if (!isRecord(value)) return "malformed";
  switch (value.type) {
    case "text_delta":
    case "thinking_delta":
      return typeof value.text === "string" ? { type: value.type, text: value.text } : "malformed";
    case "thinking_signature": {
      const { signature, dialect } = value;
      if (typeof signature !== "string") return "malformed";
      if (dialect === undefined) return { type: "thinking_signature", signature };
      return typeof dialect === "string" ? { type: "thinking_signature", signature, dialect } : "malformed";
    }
    case "thinking_redacted": {
      const { data, dialect } = value;
      if (typeof data !== "string") return "malformed";
      if (dialect === undefined) return { type: "thinking_redacted", data };
      return typeof dialect === "string" ? { type: "thinking_redacted", data, dialect } : "malformed";
    }
    case "tool_call_delta": {
      const { callId, name, argumentsFragment } = value;
      const valid = typeof callId === "string" && typeof name === "string" && typeof argumentsFragment === "string";
      return valid ? { type: "tool_call_delta", callId, name, argumentsFragment } : "malformed";
    }
    case "completed": {
      const response = value.response;
      if (!isResponse(response)) return "malformed";
      return { type: "completed", response: STOP_REASONS[response.stopReason] ? response : unknownStop(response) };
    }
    case "error": {
      const error = value.error;
      if (!isFailure(error)) return "malformed";
      return { type: "error", error: ERROR_CODES[error.code] ? error : { ...error, code: "internal" } };
    }
    default:
      return typeof value.type === "string" ? "unknown" : "malformed";
  }
}

/** Records and not lists, so that a new member of the type cannot be forgotten here. */
const STOP_REASONS: Readonly<Record<StopReason, true>> = {
  end_turn: true,
  tool_use: true,
  max_tokens: true,
  stop_sequence: true,
  refusal: true,
  context_window_exceeded: true,
  pause_turn: true,
  unknown: true,
};

const ERROR_CODES: Readonly<Record<LlmErrorCode, true>> = {
  network: true,
  timeout: true,
  rate_limited: true,
  overloaded: true,
  unauthorized: true,
  unknown_model: true,
  budget_exceeded: true,
  invalid_request: true,
  invalid_response: true,
  not_configured: true,
  internal: true,
};

const USAGE_FIELDS: Readonly<Record<Exclude<keyof Usage, "webSearches">, true>> = {
  inputTokens: true,
  outputTokens: true,
  cacheReadTokens: true,
  cacheWriteTokens: true,
  cacheWriteLongTokens: true,
  reasoningTokens: true,
};

function unknownStop(response: LlmResponse): LlmResponse {
  return { ...response, stopReason: "unknown" };
}

function isResponse(value: unknown): value is LlmResponse {
  if (!isRecord(value) || !isRecord(value.message)) return false;
  const { message, model, stopReason, usage, costMicroUsd } = value;
  return (
    typeof model === "string" &&
    typeof stopReason === "string" &&
    (costMicroUsd === undefined || typeof costMicroUsd === "number") &&
    isUsage(usage) &&
    message.role === "assistant" &&
    Array.isArray(message.content) &&
    message.content.every(isAssistantBlock)
  );
}

function isUsage(value: unknown): value is Usage {
  return isRecord(value) && Object.keys(USAGE_FIELDS).every((field) => typeof value[field] === "number");
}

function isAssistantBlock(value: unknown): boolean {
  if (!isRecord(value)) return false;
  switch (value.type) {
    case "text":
      return typeof value.text === "string" && isTextOrAbsent(value.signature);
    case "thinking":
      return (
        typeof value.text === "string" &&
        isTextOrAbsent(value.signature) &&
        isTextOrAbsent(value.redactedData) &&
        isTextOrAbsent(value.dialect)
      );
    case "opaque":
      return typeof value.dialect === "string" && isRecord(value.data);
    case "tool_use":
      return (
        typeof value.id === "string" &&
        typeof value.name === "string" &&
        isRecord(value.input) &&
        isTextOrAbsent(value.malformedInput) &&
        isTextOrAbsent(value.signature)
      );
    default:
      return false;
  }
}

function isFailure(value: unknown): value is LlmFailure {
  if (!isRecord(value)) return false;
  const { code, message, retryable, retryAfterMs, status } = value;
  return (
    typeof code === "string" &&
    typeof message === "string" &&
    typeof retryable === "boolean" &&
    isNumberOrAbsent(retryAfterMs) &&
    isNumberOrAbsent(status)
  );
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isNumberOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === "number";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
