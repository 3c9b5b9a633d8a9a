import type { RawCall } from "./call.ts";
import { HEADER_NAME } from "./header-lines.ts";
import { COMMON_HEADERS, ProblemError, sendProblem } from "./problem-reply.ts";

/** What pages of other origins may ask for besides the raw routes: our own API, and its alias. */
const API = /^\/(?:api|v1)\//;

/** Seconds for which a browser need not ask again. */
const MAX_AGE = 600;
/** Of the names of headers that a page wants to send, in characters: SDKs have some twenty. */
const MAX_ASKED = 2_048;
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";

/** What pages may read of an answer besides its body and what every page may read. */
const EXPOSED = [
  "request-id",
  "x-request-id",
  "x-upstream-request-id",
  "x-should-retry",
  "retry-after",
  "etag",
  "x-loom-route",
  "x-loom-attempts",
  "x-loom-left-out",
  "x-loom-estimated",
  "x-loom-groups-left-out",
  ...["limit", "remaining", "reset"].flatMap((what) =>
    ["requests", "tokens"].flatMap((of) => [`x-ratelimit-${what}-${of}`, `anthropic-ratelimit-${of}-${what}`]),
  ),
].join(", ");

export function isForOtherOrigins(url: string): boolean {
  return API.test(url);
}

/**
 * What lets a page of this origin read an answer (https://fetch.spec.whatwg.org, 3.3). There is no
 * `Access-Control-Allow-Credentials`: such pages have a token, and no cookie means anything from them.
 */
export function crossOriginHeaders(origin: string): readonly string[] {
  return ["access-control-allow-origin", origin, "access-control-expose-headers", EXPOSED, "vary", "Origin"];
}

/** A browser asks whether a page may send a request, before it sends that and without the page's token. */
export function isPreflight({ incoming }: RawCall): boolean {
  return incoming.method === "OPTIONS" && incoming.headers["access-control-request-method"] !== undefined;
}

/** The headers that let the page read the answer are its own already. */
export function answerPreflight({ incoming, outgoing, id }: RawCall): void {
  const asked = incoming.headers["access-control-request-headers"] ?? "";
  const names = asked.split(",").map((name) => name.trim());
  if (asked.length > MAX_ASKED || (asked !== "" && !names.every((name) => HEADER_NAME.test(name)))) {
    const detail = `Access-Control-Request-Headers has to be a list of names of at most ${MAX_ASKED} characters.`;
    sendProblem(outgoing, new ProblemError("invalid_input", detail), id);
    return;
  }
  outgoing.writeHead(204, {
    ...COMMON_HEADERS,
    "x-request-id": id,
    "access-control-allow-methods": METHODS,
    ...(asked === "" ? {} : { "access-control-allow-headers": names.join(", ") }),
    "access-control-max-age": String(MAX_AGE),
    vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
  });
  outgoing.end();
}
