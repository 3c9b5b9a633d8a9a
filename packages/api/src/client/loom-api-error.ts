import type { LlmErrorCode, LlmFailure } from "@loom/core";
import { ExchangeError } from "../http/exchange-error.ts";
import type { Problem, ProblemCode } from "../problem.ts";
import { PROBLEM_MEDIA_TYPE } from "../problem.ts";

export type LoomApiErrorDetails = {
  readonly code: ProblemCode;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  /** HTTP status, where there was an answer. */
  readonly status?: number | undefined;
  /** The request's id, as it stands in the server's log. */
  readonly requestId?: string | undefined;
  /** The problem document, with what it says beyond the members that all have. */
  readonly problem?: Readonly<Record<string, unknown>> | undefined;
};

/** A request to a Loom server failed. `message` is one sentence: which server, what happened, what to do. */
export class LoomApiError extends Error {
  override readonly name = "LoomApiError";
  readonly code: ProblemCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(message: string, details: LoomApiErrorDetails, options?: ErrorOptions) {
    super(message, options);
    this.code = details.code;
    this.retryable = details.retryable;
    this.retryAfterMs = details.retryAfterMs;
    this.status = details.status;
    this.requestId = details.requestId;
    this.problem = details.problem ?? {};
  }

  /** The same as plain data, in the words of the agent's machine. */
  toFailure(): LlmFailure {
    return {
      code: llmErrorCode(this.code),
      message: this.message,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.status === undefined ? {} : { status: this.status }),
    };
  }
}

/** What the person may do about a server that cannot be used. */
export function sentenceAbout(server: string): (clause: string) => string {
  return (clause) => `The Loom server at ${server} ${clause}: check that it is running and reachable, then try again.`;
}

/** Anything that can be thrown on the way to the server and back. */
export function apiError(error: unknown, server: string): LoomApiError {
  if (error instanceof LoomApiError) return error;
  if (!(error instanceof ExchangeError)) {
    const message = `The request to the Loom server at ${server} failed: ${error instanceof Error ? error.message : error}.`;
    return new LoomApiError(message, { code: "internal", retryable: false }, { cause: error });
  }
  switch (error.failure) {
    case "cancelled":
      return new LoomApiError(`The request to the Loom server at ${server} was cancelled.`, {
        code: "network",
        retryable: false,
      });
    case "too_large":
      return notLoom(server, error.message);
    case "timeout":
      return new LoomApiError(sentenceAbout(server)(error.message), { code: "timeout", retryable: true });
    case "connection":
      return new LoomApiError(sentenceAbout(server)(error.message), { code: "network", retryable: true });
  }
}

/** The other side answers, but not as a Loom server does. */
export function notLoom(server: string, clause: string, status?: number): LoomApiError {
  return new LoomApiError(`${server} ${clause}, which no Loom server does: check the address of the server.`, {
    code: "invalid_response",
    retryable: false,
    status,
  });
}

/** An answer that is not 2xx. */
export function errorFromResponse(
  answer: { readonly status: number; readonly contentType: string; readonly body: string },
  server: string,
): LoomApiError {
  const problem = answer.contentType.startsWith(PROBLEM_MEDIA_TYPE) ? parseProblem(answer.body) : undefined;
  if (problem === undefined) return notLoom(server, `answered with status ${answer.status}`, answer.status);
  return new LoomApiError(messageOf(problem, server), {
    code: problem.code,
    retryable: problem.retryable,
    retryAfterMs: problem.retryAfterMs,
    status: answer.status,
    requestId: problem.instance,
    problem,
  });
}

function messageOf(problem: Problem, server: string): string {
  if (problem.code === "unauthenticated") {
    return `The Loom server at ${server} does not know the token it was sent: check that the token belongs to this server.`;
  }
  return problem.detail;
}

function parseProblem(body: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isProblem(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== "object" || value === null) return false;
  const { code, detail, retryable, retryAfterMs, instance } = value as Partial<Record<keyof Problem, unknown>>;
  return (
    typeof code === "string" &&
    typeof detail === "string" &&
    typeof retryable === "boolean" &&
    (retryAfterMs === undefined || typeof retryAfterMs === "number") &&
    (instance === undefined || typeof instance === "string")
  );
}

function llmErrorCode(code: ProblemCode): LlmErrorCode {
  switch (code) {
    case "unauthenticated":
    case "forbidden":
    case "recent_sign_in_required":
    case "host_not_allowed":
    case "origin_not_allowed":
      return "unauthorized";
    case "unavailable":
      return "overloaded";
    case "not_found":
    case "method_not_allowed":
    case "payload_too_large":
    case "unsupported_media_type":
    case "unsupported_upgrade":
    case "version_mismatch":
    case "precondition_required":
    case "conflict":
    case "gone":
    case "thread_private":
    case "invalid_input":
      return "invalid_request";
    default:
      return code;
  }
}
