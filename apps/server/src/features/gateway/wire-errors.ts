import type { Problem } from "@loom/api";
import type { LlmFailure } from "@loom/core";
import { geminiError } from "@loom/llm";
import type { Dialect } from "../../gateway-types.ts";
import { ProblemError } from "../../kit/problem-reply.ts";

/** A failure of a provider, or of ours on the way to it, as a problem. */
export function problemFor(failure: LlmFailure, headers: { readonly [name: string]: string } = {}): ProblemError {
  return new ProblemError(failure.code, failure.message, {
    retryable: failure.retryable,
    retryAfterMs: failure.retryAfterMs,
    headers,
  });
}

/** The body of an HTTP error as a client of this dialect expects it. For foreign clients only. */
export function errorBody(dialect: Exclude<Dialect, "loom">, problem: Problem, requestId: string): string {
  const { status, detail: message, code } = problem;
  switch (dialect) {
    case "anthropic":
      return JSON.stringify({ type: "error", error: { type: anthropicType(status), message }, request_id: requestId });
    case "chat":
    case "responses":
      return JSON.stringify({
        error: { message, type: openAiType(status), param: null, code: openAiCode(status, code) },
      });
    case "gemini":
      return JSON.stringify(googleError(problem));
  }
}

/** What a broken stream ends with: a blank line first, so that half an event does not swallow it. */
export function streamError(dialect: Exclude<Dialect, "loom">, failure: LlmFailure): string {
  const { problem } = problemFor(failure);
  const { detail: message, status } = problem;
  switch (dialect) {
    case "anthropic": {
      const data = { type: "error", error: { type: anthropicType(status), message } };
      return `\n\nevent: error\ndata: ${JSON.stringify(data)}\n\n`;
    }
    case "chat": {
      const error = { message, type: openAiType(status), param: null, code: openAiCode(status, failure.code) };
      return `\n\ndata: ${JSON.stringify({ error })}\n\n`;
    }
    case "responses": {
      const error = { code: openAiCode(status, failure.code) ?? "server_error", message };
      const response = { object: "response", status: "failed", error, output: [] };
      return `\n\nevent: response.failed\ndata: ${JSON.stringify({ type: "response.failed", response })}\n\n`;
    }
    case "gemini":
      // Google's own clients look for a bare object: one in an event would pass for an answer without candidates.
      return `\n\n${JSON.stringify(googleError(problem))}\n`;
  }
}

function googleError({ status: code, detail: message, retryAfterMs }: Problem): object {
  return geminiError({ code, message, status: googleStatus(code), retryAfterMs });
}

/** The status line for a foreign client: Anthropic's own clients know trouble at the provider as 529. */
export function errorStatus(dialect: Dialect, problem: Problem): number {
  return dialect === "anthropic" && problem.code === "overloaded" ? 529 : problem.status;
}

function anthropicType(status: number): string {
  return ANTHROPIC_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

function openAiType(status: number): string {
  if (status === 402) return "insufficient_quota";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function openAiCode(status: number, code: string): string | null {
  switch (status) {
    case 401:
      return "invalid_api_key";
    case 402:
      return "insufficient_quota";
    case 404:
      return code === "unknown_model" ? "model_not_found" : code;
    case 429:
      return "rate_limit_exceeded";
    case 400:
      return null;
    default:
      return code;
  }
}

function googleStatus(status: number): string {
  return GOOGLE_STATUSES[status] ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT");
}

/** google.rpc.Code, by the HTTP status that it is mapped to. */
const GOOGLE_STATUSES: Readonly<Record<number, string>> = {
  401: "UNAUTHENTICATED",
  402: "RESOURCE_EXHAUSTED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};
