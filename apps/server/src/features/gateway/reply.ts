import type { Dialect } from "../../gateway-types.ts";
import { COMMON_HEADERS, type ProblemError, sendProblem } from "../../kit/problem-reply.ts";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import { errorBody, errorStatus } from "./wire-errors.ts";

/** The id of a request in the headers of an answer that no provider gave: Anthropic's own clients read theirs in one of its own. */
export function requestIds(dialect: Dialect, id: string): { readonly [name: string]: string } {
  return dialect === "anthropic" ? { "x-request-id": id, "request-id": id } : { "x-request-id": id };
}

/** Sends a problem in the client's own format. Nothing has been sent yet. */
export function sendDialectProblem(
  outgoing: RawOutgoing,
  dialect: Dialect,
  error: ProblemError,
  requestId: string,
): void {
  if (outgoing.destroyed || outgoing.headersSent) return;
  if (dialect === "loom") {
    sendProblem(outgoing, error, requestId);
    return;
  }
  const { problem } = error;
  const body = errorBody(dialect, problem, requestId);
  const status = errorStatus(dialect, problem);
  outgoing.writeHead(status, {
    ...COMMON_HEADERS,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...requestIds(dialect, requestId),
    ...(problem.retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(problem.retryAfterMs / 1000)) }),
    // The providers' own clients go by it: they would send a 502 again, and a 429 that no waiting mends.
    "x-should-retry": String(problem.retryable),
    ...error.headers,
  });
  outgoing.end(body);
}

/** Sends a JSON answer that was made here. */
export function sendJson(outgoing: RawOutgoing, body: unknown, headers: { readonly [name: string]: string }): void {
  if (outgoing.destroyed) return;
  const text = JSON.stringify(body);
  outgoing.writeHead(200, {
    ...COMMON_HEADERS,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  outgoing.end(text);
}
