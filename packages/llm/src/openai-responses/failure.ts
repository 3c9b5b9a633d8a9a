import type { JsonObject, LlmErrorCode, LlmFailure } from "@loom/core";
import { providerFailure, withRetryAfter } from "../http-failure.ts";
import { asObject, asText } from "../json-reader.ts";
import { failureFromBody as failureFromChatBody } from "../openai-chat/failure.ts";

/** Codes of this API only; what Chat Completions knows too is read there. */
const CODES: ReadonlyMap<string, LlmErrorCode> = new Map<string, LlmErrorCode>([
  ["invalid_prompt", "invalid_request"],
  ["bio_policy", "invalid_request"],
  ["cyber_policy", "invalid_request"],
  ["usage_not_included", "budget_exceeded"],
  ["usage_limit_reached", "budget_exceeded"],
  ["previous_response_not_found", "invalid_request"],
  ["failed_to_download_image", "invalid_request"],
  ["vector_store_timeout", "timeout"],
  ["server_is_overloaded", "overloaded"],
  ["slow_down", "overloaded"],
]);

const WAIT = /try again in (\d+(?:\.\d+)?) ?(ms|s)/i;
const MAX_WAIT_MS = 24 * 60 * 60 * 1000;

/**
 * An error inside a stream, or the `error` of a response that failed: `{"code":"…","message":"…"}`, sometimes wrapped once
 * more in `error`.
 */
export function failureFromError(body: JsonObject): LlmFailure {
  const error = asObject(body.error) ?? body;
  const said = asText(error.message);
  const retryAfterMs = waitIn(said);
  const known = asText(error.code) ?? "";
  const code = CODES.get(known) ?? (/^(invalid|unsupported|empty)_|image_/.test(known) ? "invalid_request" : undefined);
  const words = said === undefined ? {} : { said };
  const failure = code === undefined ? failureFromChatBody({ error }) : providerFailure({ code, ...words });
  return retryAfterMs === undefined ? failure : withRetryAfter(failure, retryAfterMs);
}

/** The `error` of a response that failed. Clients try again after `server_error`, and give up after `invalid_prompt`. */
export function failureToWire(failure: LlmFailure): { readonly code: string; readonly message: string } {
  const { code, message, retryable, retryAfterMs } = failure;
  if (code === "rate_limited") {
    // Codex has no other way to learn how long.
    const wait = retryAfterMs === undefined ? "" : ` Please try again in ${Math.ceil(retryAfterMs / 1000)}s.`;
    return { code: "rate_limit_exceeded", message: message + wait };
  }
  if (code === "budget_exceeded") return { code: "insufficient_quota", message };
  return { code: retryable ? "server_error" : "invalid_prompt", message };
}

function waitIn(said: string | undefined): number | undefined {
  const [, amount, unit] = WAIT.exec(said ?? "") ?? [];
  if (amount === undefined) return undefined;
  return Math.min(Math.ceil(Number(amount) * (unit?.toLowerCase() === "ms" ? 1 : 1000)), MAX_WAIT_MS);
}
