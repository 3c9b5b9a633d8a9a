import { holdsForm } from "./credential-forms.ts";
import type { UpstreamHeaders } from "./transport.ts";

/** Of this connection, between the provider and Loom alone, or what a browser would take for words of Loom's own origin. */
const DROPPED: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authentication-info",
  "transfer-encoding",
  "upgrade",
  "te",
  "set-cookie",
  "set-cookie2",
  "alt-svc",
  "strict-transport-security",
  "clear-site-data",
  "content-security-policy",
  "content-security-policy-report-only",
  "nel",
  "report-to",
  "reporting-endpoints",
  "public-key-pins",
  "service-worker-allowed",
  "refresh",
  "date",
  "x-accel-buffering",
]);

/** What no trailer may say (RFC 9110, section 6.5.1): how the message ends, what is in it, where it goes, how long it holds. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  "content-length",
  "content-encoding",
  "content-type",
  "content-range",
  "trailer",
  "host",
  "location",
  "authorization",
  "www-authenticate",
  "cache-control",
  "expires",
  "age",
  "vary",
  "retry-after",
  "x-request-id",
  "request-id",
]);

const isPassed = (name: string): boolean =>
  !DROPPED.has(name) && !name.startsWith("access-control-") && !name.startsWith("x-loom-");

/**
 * The provider's headers without those of the connection and those that hold one of `secrets`, and ours; flat, name after
 * value, as they go out.
 */
export function responseHeaders(
  upstream: UpstreamHeaders,
  ours: { readonly [name: string]: string },
  {
    eventStream,
    changed,
    secrets,
  }: { readonly eventStream: boolean; readonly changed: boolean; readonly secrets: readonly string[] },
): string[] {
  const headers: string[] = [];
  const ofConnection = namedByConnection(upstream.connection);
  for (const name in upstream) {
    const value = upstream[name];
    if (value === undefined || !isPassed(name) || ofConnection?.has(name) === true) continue;
    if (changed && name === "content-length") continue;
    if (name === "x-request-id") push(headers, "x-upstream-request-id", value, secrets);
    else if (ours[name] === undefined) push(headers, name, value, secrets);
  }
  if (eventStream) {
    // nginx and its like hold nothing back.
    headers.push("x-accel-buffering", "no");
    if (upstream["cache-control"] === undefined) headers.push("cache-control", "no-cache, no-transform");
  }
  for (const name in ours) headers.push(name, ours[name] ?? "");
  return headers;
}

const USUAL_CONNECTION = /^(?:keep-alive|close)?$/i;

/** Headers that are meant for the next server only, and named as such (RFC 9110, section 7.6.1); mostly none. */
function namedByConnection(value: string | string[] | undefined): ReadonlySet<string> | undefined {
  if (value === undefined || (typeof value === "string" && USUAL_CONNECTION.test(value))) return undefined;
  return new Set(
    String(value)
      .toLowerCase()
      .split(",")
      .map((name) => name.trim()),
  );
}

/** The provider's trailers without those that may not come there and those that hold one of `secrets`; mostly none. */
export function responseTrailers(upstream: UpstreamHeaders, secrets: readonly string[]): UpstreamHeaders {
  const trailers: Record<string, string | string[]> = {};
  for (const name in upstream) {
    const value = upstream[name];
    if (value === undefined || !isPassed(name) || NOT_IN_TRAILERS.has(name)) continue;
    const values = typeof value === "string" ? [value] : value;
    if (!values.some((each) => holdsForm(each, secrets))) trailers[name] = value;
  }
  return trailers;
}

function push(headers: string[], name: string, value: string | string[], secrets: readonly string[]): void {
  if (typeof value !== "string") for (const each of value) push(headers, name, each, secrets);
  else if (!holdsForm(value, secrets)) headers.push(name, value);
}
