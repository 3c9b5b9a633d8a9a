import type { JsonObject, JsonValue, LlmErrorCode, LlmFailure } from "@loom/core";
import type { HttpFailure } from "../codec.ts";
import { codeForStatus, type ErrorDetail, failureFromStatus, providerFailure } from "../http-failure.ts";
import { asObject, asText } from "../json-reader.ts";

/** Codes and types that say more than the HTTP status does. Numbers are Z.ai's; the last group is Loom's own. */
const SPECIFIC: ReadonlyMap<string, LlmErrorCode> = new Map<string, LlmErrorCode>([
  ["insufficient_quota", "budget_exceeded"],
  ["exceeded_current_quota_error", "budget_exceeded"],
  ["billing_hard_limit_reached", "budget_exceeded"],
  ["billing_not_active", "budget_exceeded"],
  ["insufficient_balance", "budget_exceeded"],
  ["1113", "budget_exceeded"],
  ["model_not_found", "unknown_model"],
  ["1211", "unknown_model"],
  ["invalid_api_key", "unauthorized"],
  ["authentication_error", "unauthorized"],
  ["invalid_authentication_error", "unauthorized"],
  ["permission_error", "unauthorized"],
  ["rate_limit_exceeded", "rate_limited"],
  ["rate_limit_error", "rate_limited"],
  ["rate_limit_reached_error", "rate_limited"],
  ["1302", "rate_limited"],
  ["1303", "rate_limited"],
  ["1305", "rate_limited"],
  ["context_length_exceeded", "invalid_request"],
  ["content_policy_violation", "invalid_request"],
  ["overloaded_error", "overloaded"],
  ["engine_overloaded_error", "overloaded"],
  ["network", "network"],
  ["timeout", "timeout"],
  ["invalid_response", "invalid_response"],
  ["not_configured", "not_configured"],
  ["internal", "internal"],
]);

/** Towards a foreign client: its own SDK goes by the HTTP status, and shows these. */
const TO_WIRE: Readonly<Record<LlmErrorCode, readonly [type: string, code: string | null]>> = {
  network: ["server_error", "network"],
  timeout: ["server_error", "timeout"],
  rate_limited: ["rate_limit_error", "rate_limit_exceeded"],
  overloaded: ["server_error", "overloaded_error"],
  unauthorized: ["invalid_request_error", "invalid_api_key"],
  unknown_model: ["invalid_request_error", "model_not_found"],
  budget_exceeded: ["insufficient_quota", "insufficient_quota"],
  invalid_request: ["invalid_request_error", null],
  invalid_response: ["server_error", "invalid_response"],
  not_configured: ["server_error", "not_configured"],
  internal: ["server_error", "internal"],
};

export function failureFromHttp(failure: HttpFailure, nowMs: number): LlmFailure {
  return failureFromStatus(failure, nowMs, readError);
}

/**
 * An error inside a stream, or in place of an answer, where there is no status to go by. What nobody knows counts as
 * trouble of the provider.
 */
export function failureFromBody(body: JsonObject): LlmFailure {
  const { said, code } = readError(body);
  const error = errorIn(body);
  const known = code ?? codeFromNumber(error.code ?? error.status);
  const fallback = asText(error.type) === "invalid_request_error" ? "invalid_request" : "overloaded";
  return providerFailure({ code: known ?? fallback, ...(said === undefined ? {} : { said }) });
}

/** Whether a body is an error and not an answer. Some servers say `"error":null`, or `{}`, when all is well. */
export function isErrorBody({ error, object }: JsonObject): boolean {
  return Object.keys(asObject(error) ?? {}).length > 0 || asText(error) !== undefined || object === "error";
}

export function failureToWire(failure: LlmFailure): JsonObject {
  const [type, code] = TO_WIRE[failure.code];
  return { error: { message: failure.message, type, param: null, code } };
}

/**
 * `{"error":{"message":"…","type":"…","code":"…"}}`, and its relatives: `{"error":"…"}` of Ollama, `{"object":"error",
 * "message":"…"}` of vLLM, `{"detail":"…"}` of FastAPI, and OpenRouter's with the words of the real provider inside.
 */
function readError(body: JsonObject): ErrorDetail {
  const error = errorIn(body);
  const code = specific(error.code) ?? specific(error.type);
  const message = asText(error.message) ?? asText(body.error) ?? asText(body.detail) ?? asText(error.msg);
  const inner = asText(asObject(error.metadata)?.raw);
  const said = message !== undefined && inner !== undefined ? `${message}: ${inner}` : (message ?? inner);
  return { ...(said === undefined ? {} : { said }), ...(code === undefined ? {} : { code }) };
}

function errorIn(body: JsonObject): JsonObject {
  return asObject(body.error) ?? body;
}

function specific(value: JsonValue | undefined): LlmErrorCode | undefined {
  return typeof value === "string" || typeof value === "number" ? SPECIFIC.get(String(value)) : undefined;
}

function codeFromNumber(value: JsonValue | undefined): LlmErrorCode | undefined {
  const status = Number(typeof value === "string" || typeof value === "number" ? value : Number.NaN);
  return Number.isInteger(status) && status >= 400 && status < 600 ? codeForStatus(status) : undefined;
}
