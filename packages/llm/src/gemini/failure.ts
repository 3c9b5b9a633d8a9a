import type { JsonObject, LlmErrorCode, LlmFailure } from "@loom/core";
import type { HttpFailure } from "../codec.ts";
import {
  codeForStatus,
  type ErrorDetail,
  failureFromStatus,
  providerFailure,
  withRetryAfter,
} from "../http-failure.ts";
import { asArray, asCount, asObject, asText, parseJson } from "../json-reader.ts";

/** google.rpc.Code, as `error.status` has it: https://ai.google.dev/gemini-api/docs/troubleshooting */
const STATUSES: ReadonlyMap<string | undefined, LlmErrorCode> = new Map<string, LlmErrorCode>([
  ["INVALID_ARGUMENT", "invalid_request"],
  ["FAILED_PRECONDITION", "invalid_request"],
  ["OUT_OF_RANGE", "invalid_request"],
  ["UNIMPLEMENTED", "invalid_request"],
  ["UNAUTHENTICATED", "unauthorized"],
  ["PERMISSION_DENIED", "unauthorized"],
  ["NOT_FOUND", "unknown_model"],
  ["RESOURCE_EXHAUSTED", "rate_limited"],
  ["DEADLINE_EXCEEDED", "timeout"],
  ["UNAVAILABLE", "overloaded"],
  ["INTERNAL", "overloaded"],
  ["UNKNOWN", "overloaded"],
  ["ABORTED", "overloaded"],
  ["CANCELLED", "overloaded"],
]);

/** `reason` of an ErrorInfo in `details`, where it says more: a wrong key is an INVALID_ARGUMENT. */
const REASONS: ReadonlyMap<string | undefined, LlmErrorCode> = new Map<string, LlmErrorCode>([
  ["API_KEY_INVALID", "unauthorized"],
  ["API_KEY_SERVICE_BLOCKED", "unauthorized"],
  ["ACCESS_TOKEN_EXPIRED", "unauthorized"],
  ["SERVICE_DISABLED", "unauthorized"],
  ["BILLING_DISABLED", "budget_exceeded"],
  ["RATE_LIMIT_EXCEEDED", "rate_limited"],
]);

const TO_WIRE: Readonly<Record<LlmErrorCode, readonly [code: number, status: string]>> = {
  network: [502, "UNAVAILABLE"],
  timeout: [504, "DEADLINE_EXCEEDED"],
  rate_limited: [429, "RESOURCE_EXHAUSTED"],
  overloaded: [503, "UNAVAILABLE"],
  unauthorized: [401, "UNAUTHENTICATED"],
  unknown_model: [404, "NOT_FOUND"],
  budget_exceeded: [402, "RESOURCE_EXHAUSTED"],
  invalid_request: [400, "INVALID_ARGUMENT"],
  invalid_response: [502, "UNAVAILABLE"],
  not_configured: [503, "UNAVAILABLE"],
  internal: [500, "INTERNAL"],
};

const MAX_WAIT_MS = 24 * 60 * 60 * 1000;

/** The wait is in the body here, as `RetryInfo`. */
export function failureFromHttp({ body, ...rest }: HttpFailure, nowMs: number): LlmFailure {
  const error = errorIn(body);
  const failure = failureFromStatus(
    { ...rest, body: error === undefined ? body : JSON.stringify({ error }) },
    nowMs,
    readError,
  );
  return withWait(failure, error);
}

/** An error inside a stream, or in place of an answer. */
export function failureFromError(error: JsonObject): LlmFailure {
  const { said, code } = readError({ error });
  const status = asCount(error.code) ?? 0;
  const known = code ?? (status >= 400 && status < 600 ? codeForStatus(status) : "overloaded");
  return withWait(providerFailure({ code: known, ...(said === undefined ? {} : { said }) }), error);
}

/** The `error` of a body: an object, or a list with one where the request was for a stream without `alt=sse`. */
export function errorIn(body: string): JsonObject | undefined {
  const json = parseJson(body);
  const first = asObject(asArray(json)[0]) ?? asObject(json);
  return asObject(first?.error);
}

export function failureToWire(failure: LlmFailure): JsonObject {
  const [code, status] = TO_WIRE[failure.code];
  return geminiError({ code, status, message: failure.message, retryAfterMs: failure.retryAfterMs });
}

/** An error as Google says it. Its clients look for the wait in the body, and not in `Retry-After`. */
export function geminiError({
  retryAfterMs,
  ...error
}: {
  readonly code: number;
  readonly status: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}): JsonObject {
  if (retryAfterMs === undefined) return { error };
  const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${retryAfterMs / 1000}s` };
  return { error: { ...error, details: [retryInfo] } };
}

/** `{"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[…]}}` */
function readError(body: JsonObject): ErrorDetail {
  const error = asObject(body.error) ?? body;
  const reasons = asArray(error.details).map((detail) => asText(asObject(detail)?.reason));
  const reason = reasons.map((each) => REASONS.get(each)).find((each) => each !== undefined);
  const code = reason ?? STATUSES.get(asText(error.status));
  const said = asText(error.message) ?? asText(body.error);
  return { ...(said === undefined ? {} : { said }), ...(code === undefined ? {} : { code }) };
}

function withWait(failure: LlmFailure, error: JsonObject | undefined): LlmFailure {
  if (failure.retryAfterMs !== undefined) return failure;
  const delays = asArray(error?.details).map((detail) => asText(asObject(detail)?.retryDelay));
  const [, seconds] = /^(\d+(?:\.\d+)?)s$/.exec(delays.find((delay) => delay !== undefined) ?? "") ?? [];
  if (seconds === undefined) return failure;
  return withRetryAfter(failure, Math.min(Math.ceil(Number(seconds) * 1000), MAX_WAIT_MS));
}
