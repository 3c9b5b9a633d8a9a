import type { IncomingMessage } from "node:http";
import { ProblemError } from "./problem-reply.ts";
import { Reply } from "./route.ts";

/** The answer about something that can change: its version is its entity tag (RFC 9110, 8.8.3). */
export function versioned<Body extends { readonly version: number }>(
  body: Body,
  options: { readonly status?: number; readonly headers?: { readonly [name: string]: string } } = {},
): Reply<Body> {
  return new Reply(body, { ...options, headers: { etag: `"${body.version}"`, ...options.headers } });
}

/** What the one who puts something expects to find: a version, anything or nothing (`any`), nothing at all, or he does not say. */
export type Expected = number | "any" | "nothing" | undefined;

/** `If-Match: "7"`, `If-Match: *`, `If-None-Match: *`, or neither. @throws ProblemError where they cannot be read */
export function expectedOf(incoming: IncomingMessage): Expected {
  const { "if-match": match, "if-none-match": none } = incoming.headers;
  if (match !== undefined) return ifMatch(incoming) ?? "any";
  if (none === undefined) return undefined;
  if (none === "*") return "nothing";
  throw new ProblemError("invalid_input", "If-None-Match has to be *.", {
    errors: [{ field: "If-None-Match", message: "must be *" }],
  });
}

/**
 * The version that a change is meant for, of `If-Match: "7"`; `undefined` for `*`, which means any that is there.
 * @throws ProblemError where it is missing, or is no version.
 */
export function ifMatch({ headers }: IncomingMessage): number | undefined {
  const match = headers["if-match"];
  if (match === undefined) {
    throw new ProblemError(
      "precondition_required",
      'Say which version the change is meant for: send the ETag of what you have seen as If-Match, e.g. "7", or * for any.',
    );
  }
  if (match === "*") return undefined;
  const version = /^"(\d{1,15})"$/.exec(match)?.[1];
  if (version !== undefined) return Number(version);
  throw new ProblemError("invalid_input", 'If-Match has to be the version in quotes, e.g. "7".', {
    errors: [{ field: "If-Match", message: 'must be a version in quotes, e.g. "7", or *' }],
  });
}
