import type { JsonObject, LlmErrorCode, LlmFailure } from "@loom/core";
import type { HttpFailure } from "../codec.ts";
import {
  type ErrorDetail,
  failureFromStatus,
  providerFailure,
  readErrorBody,
  unreadableAnswer,
} from "../http-failure.ts";
import { asObject, asText } from "../json-reader.ts";

/** The provider's error types: https://platform.claude.com/docs/en/api/errors */
const CODES: ReadonlyMap<string, LlmErrorCode> = new Map<string, LlmErrorCode>([
  ["invalid_request_error", "invalid_request"],
  ["request_too_large", "invalid_request"],
  ["authentication_error", "unauthorized"],
  ["permission_error", "unauthorized"],
  ["billing_error", "budget_exceeded"],
  ["not_found_error", "unknown_model"],
  ["rate_limit_error", "rate_limited"],
  ["timeout_error", "timeout"],
  ["api_error", "overloaded"],
  ["overloaded_error", "overloaded"],
]);

const TYPES: Readonly<Record<LlmErrorCode, string>> = {
  network: "api_error",
  timeout: "timeout_error",
  rate_limited: "rate_limit_error",
  overloaded: "overloaded_error",
  unauthorized: "authentication_error",
  unknown_model: "not_found_error",
  budget_exceeded: "billing_error",
  invalid_request: "invalid_request_error",
  invalid_response: "api_error",
  not_configured: "api_error",
  internal: "api_error",
};

export function failureFromHttp(failure: HttpFailure, nowMs: number): LlmFailure {
  return failureFromStatus(failure, nowMs, readError);
}

/** A body with a 2xx status that is no answer. It may be one that was cut short, so asking again may help. */
export function failureFromForeignBody(body: string): LlmFailure {
  const { code, said } = readErrorBody(body, readError);
  if (code === undefined) return said === body ? unreadableAnswer(body) : foreign(said);
  return providerFailure({ code, ...(said === undefined ? {} : { said }) });
}

function foreign(said: string | undefined): LlmFailure {
  return providerFailure({ code: "invalid_response", retryable: true, ...(said === undefined ? {} : { said }) });
}

/** An `error` inside a stream, or in place of an answer. A type nobody knows counts as trouble of the provider. */
export function failureFromBody(body: JsonObject): LlmFailure {
  const { code = "overloaded", said } = readError(body);
  return providerFailure({ code, ...(said === undefined ? {} : { said }) });
}

export function failureToWire(failure: LlmFailure): JsonObject {
  return { type: "error", error: { type: TYPES[failure.code], message: failure.message } };
}

/** `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, and bodies that come near it. */
function readError(body: JsonObject): ErrorDetail {
  const error = asObject(body.error) ?? body;
  const code = CODES.get(asText(error.type) ?? "");
  const said = asText(error.message) ?? asText(body.error);
  return { ...(said === undefined ? {} : { said }), ...(code === undefined ? {} : { code }) };
}
