import type { FieldError, Problem, ProblemCode } from "@loom/api";
import { PROBLEM_MEDIA_TYPE, problemOf } from "@loom/api";
import type { JsonObject } from "@loom/core";
import type { RawOutgoing } from "./raw-exchange.ts";

/** Thrown by whoever finds that a request cannot be done; becomes the response. `message` is for the client. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;
  readonly headers: { readonly [name: string]: string };
  /** Members of the document that only this kind of problem has (RFC 9457, 3.2). */
  readonly extensions: JsonObject;

  constructor(
    code: ProblemCode,
    detail: string,
    options: {
      readonly retryable?: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly errors?: readonly FieldError[];
      readonly headers?: { readonly [name: string]: string };
      readonly extensions?: JsonObject;
    } = {},
  ) {
    super(detail);
    const { retryable = false, retryAfterMs, errors, headers = {}, extensions = {} } = options;
    this.problem = problemOf(code, {
      detail,
      retryable,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(errors === undefined ? {} : { errors }),
    });
    this.headers = headers;
    this.extensions = extensions;
  }
}

/** What is wrong with an input; the first field is named in the sentence. */
export function wrongFields(errors: readonly FieldError[]): ProblemError {
  const first = errors[0];
  const detail =
    first === undefined
      ? "The request does not fit its schema."
      : `${first.field === "" ? "The body" : `The field ${first.field}`} is wrong: ${first.message}.`;
  return new ProblemError("invalid_input", detail, { errors });
}

/** Headers that no response of ours goes without. */
export const COMMON_HEADERS: { readonly [name: string]: string } = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/**
 * A page of ours holds its own style and no script, sends its forms to us, and is shown in nobody's frame. Other sites
 * do not learn its address; with `no-referrer`, browsers would hide the Origin of its forms from us, too.
 */
export const PAGE_HEADERS: { readonly [name: string]: string } = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
};

export function sendProblem(outgoing: RawOutgoing, error: ProblemError, requestId: string): void {
  const { problem } = error;
  const body = JSON.stringify({ ...error.extensions, ...problem, instance: requestId });
  const retryAfter =
    problem.retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(problem.retryAfterMs / 1000)) };
  outgoing.writeHead(problem.status, {
    ...COMMON_HEADERS,
    "content-type": PROBLEM_MEDIA_TYPE,
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
    ...retryAfter,
    ...error.headers,
  });
  outgoing.end(body);
}
