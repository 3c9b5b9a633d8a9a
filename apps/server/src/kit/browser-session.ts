import type { Authenticate, TokenUse } from "./auth.ts";
import { cookieName, cookieValues } from "./cookies.ts";
import { ProblemError } from "./problem-reply.ts";
import type { RequestHead } from "./request-head.ts";
import { ANONYMOUS, type Subject } from "./subject.ts";

export const SESSION_COOKIE = "loom_session";

/** Who a browser is, by its cookie. */
export type BrowserSessions = {
  readonly secure: boolean;
  readonly authenticate: Authenticate;
};

const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Nobody where there is no cookie, or one that means nothing any more: a page to sign in has to be seen by those, too.
 * @throws ProblemError where somebody has planted a second one, or where it may be another site that asks.
 */
export async function subjectOfBrowser(
  request: RequestHead,
  sessions: BrowserSessions,
  from?: TokenUse,
): Promise<Subject> {
  const [token, ...others] = cookieValues(request, cookieName(SESSION_COOKIE, sessions));
  if (token === undefined) return ANONYMOUS;
  if (others.length > 0) {
    throw new ProblemError("invalid_input", "The session cookie comes more than once: sign out, and in again.");
  }
  const subject = await sessions.authenticate(token, from);
  if (subject === undefined) return ANONYMOUS;
  requireSameOrigin(request);
  return subject;
}

/**
 * For what changes something and takes no other proof than that a browser sends it. An Origin that is there has been
 * checked by `checkHostAndOrigin`; browsers send it, or Sec-Fetch-Site, with everything but GET and HEAD.
 * @throws ProblemError where neither says that it is a page of this server that asks.
 */
export function requireSameOrigin(request: RequestHead): void {
  if (SAFE_METHODS.has(request.method)) return;
  const site = request.headers["sec-fetch-site"];
  if (request.headers.origin !== undefined || site === "same-origin") return;
  throw new ProblemError(
    "origin_not_allowed",
    "A request with a cookie that changes something has to say in Origin that it comes from this server's own pages.",
  );
}
