import type { LlmErrorCode } from "@loom/core";

/** RFC 9457, section 3. */
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** Why a request failed: of the model's side as in `core`, or of ours. */
export type ProblemCode =
  | LlmErrorCode
  /** No token, or one that the server does not know. */
  | "unauthenticated"
  /** Known, but not allowed to do this. */
  | "forbidden"
  /** It takes somebody who has signed in a few minutes ago: sign in again. */
  | "recent_sign_in_required"
  | "not_found"
  | "method_not_allowed"
  | "payload_too_large"
  | "unsupported_media_type"
  /** It asks for another protocol than HTTP, such as a WebSocket. */
  | "unsupported_upgrade"
  /** A field of the path, the query or the body is wrong; `errors` says which. */
  | "invalid_input"
  /** If-Match names another version than the one that is there. */
  | "version_mismatch"
  /** A change has to say which version it changes: If-Match is missing. */
  | "precondition_required"
  /** It does not go together with what is there: a name that is taken, an organization without an owner. */
  | "conflict"
  /** It was here and is gone for good. */
  | "gone"
  /** The thread is private: it may not leave the machine that it is on. */
  | "thread_private"
  | "host_not_allowed"
  | "origin_not_allowed"
  /** The server is starting, shutting down, or cannot reach its database. */
  | "unavailable";

/** One wrong field, e.g. `{ field: "messages[0].role", message: "must be user or assistant" }`. */
export type FieldError = { readonly field: string; readonly message: string };

/** Every error of the API, as RFC 9457 has it, with `code` and `retryable` for programs. */
export type Problem = {
  /** A URI that names the kind of problem; it need not lead anywhere. */
  readonly type: string;
  readonly title: string;
  /** The HTTP status, repeated. */
  readonly status: number;
  /** One sentence for a person: what happened, to what, what to do. Holds no secret. */
  readonly detail: string;
  readonly code: ProblemCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  /** The request's id, as it stands in the server's log. */
  readonly instance?: string;
  readonly errors?: readonly FieldError[];
};

const KINDS: Readonly<Record<ProblemCode, { status: number; title: string }>> = {
  network: { status: 502, title: "The provider could not be reached" },
  timeout: { status: 504, title: "The provider took too long" },
  rate_limited: { status: 429, title: "Too many requests" },
  overloaded: { status: 503, title: "The provider is in trouble" },
  // Not 401: that would tell the client that its own token is wrong.
  unauthorized: { status: 502, title: "The provider refused the server's key" },
  unknown_model: { status: 404, title: "Unknown model" },
  budget_exceeded: { status: 402, title: "Budget exceeded" },
  invalid_request: { status: 400, title: "The provider refused the request" },
  invalid_response: { status: 502, title: "The provider's answer made no sense" },
  // Not 503: clients send that again by themselves, and it would not help.
  not_configured: { status: 404, title: "The provider is not set up" },
  internal: { status: 500, title: "Internal error" },
  unauthenticated: { status: 401, title: "A token is needed" },
  forbidden: { status: 403, title: "Not allowed" },
  recent_sign_in_required: { status: 403, title: "Sign in again" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  payload_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "Unsupported media type" },
  // Not 501: clients that can do without a WebSocket take this for the sign to.
  unsupported_upgrade: { status: 426, title: "Only HTTP is spoken here" },
  invalid_input: { status: 400, title: "A field is wrong" },
  version_mismatch: { status: 412, title: "Somebody else changed it" },
  precondition_required: { status: 428, title: "If-Match is missing" },
  conflict: { status: 409, title: "It does not go together with what is there" },
  gone: { status: 410, title: "Gone for good" },
  thread_private: { status: 422, title: "The thread is private" },
  host_not_allowed: { status: 421, title: "Unknown host name" },
  origin_not_allowed: { status: 403, title: "Origin not allowed" },
  unavailable: { status: 503, title: "The server is not available" },
};

export type ProblemDetails = {
  readonly detail: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly errors?: readonly FieldError[];
};

/** The problem document for `code`; status, title and type follow from it. */
export function problemOf(code: ProblemCode, details: ProblemDetails): Problem {
  const { status, title } = KINDS[code];
  return { type: `urn:loom:problem:${code}`, title, status, code, retryable: false, ...details };
}

/** All codes, for the schema. */
export const PROBLEM_CODES = Object.keys(KINDS) as [ProblemCode, ...ProblemCode[]];
