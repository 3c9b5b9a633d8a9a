import type { IncomingMessage } from "node:http";
import { ProblemError } from "./problem-reply.ts";

/** What a change expects to find. */
export type Precondition =
  /** `If-None-Match: *`: nothing. */
  | { readonly type: "nothing" }
  /** `If-Match: "7"`: this version. What stands behind a dash in the tag is not looked at. */
  | { readonly type: "version"; readonly version: number };

const TAG = /^"(\d{1,15})(?:-\d{1,15})?"$/;

/**
 * RFC 9110, 13.1. `undefined` where the request expects nothing. A weak tag never matches, so it is a version that nothing has.
 * @throws ProblemError where the headers cannot be read.
 */
export function preconditionOf({ headers }: IncomingMessage): Precondition | undefined {
  const [match, none] = [headers["if-match"]?.trim(), headers["if-none-match"]?.trim()];
  if (match !== undefined && none !== undefined) {
    throw new ProblemError("invalid_input", "If-Match and If-None-Match do not go together.");
  }
  if (none === "*") return { type: "nothing" };
  if (none !== undefined) throw new ProblemError("invalid_input", "If-None-Match has to be *.");
  if (match === undefined) return undefined;
  const tag = match.startsWith("W/") ? match.slice(2) : match;
  const version = TAG.exec(tag)?.[1];
  if (version === undefined) {
    throw new ProblemError("invalid_input", 'If-Match has to be the version in quotes, e.g. "7".');
  }
  return { type: "version", version: tag === match ? Number(version) : -1 };
}

/** The version that a change is about. @throws ProblemError `precondition_required` */
export function neededVersion(incoming: IncomingMessage): number {
  const precondition = preconditionOf(incoming);
  if (precondition?.type === "version") return precondition.version;
  throw new ProblemError("precondition_required", 'Say which version is changed: send If-Match: "VERSION".');
}

/** Whether the client has this already: its `If-None-Match` names `etag`, or anything. */
export function isKnown({ headers }: IncomingMessage, etag: string): boolean {
  const tags = headers["if-none-match"]?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags?.some((tag) => tag === etag || tag === "*") === true;
}
