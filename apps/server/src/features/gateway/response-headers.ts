import { holdsForm } from "./credential-forms.ts";
import type { UpstreamHeaders } from "./transport.ts";

/** Of this connection, or between the provider and Loom alone. */
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
  "date",
  "x-accel-buffering",
]);

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
    if (
      value === undefined ||
      DROPPED.has(name) ||
      ofConnection?.has(name) === true ||
      name.startsWith("access-control-")
    )
      continue;
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

/** The provider's trailers without those that hold one of `secrets`. */
export function withoutSecrets(trailers: UpstreamHeaders, secrets: readonly string[]): UpstreamHeaders {
  let clean = trailers;
  for (const name in trailers) {
    const value = trailers[name];
    if (typeof value === "string" && holdsForm(value, secrets)) clean = { ...clean, [name]: undefined };
  }
  return clean;
}

function push(headers: string[], name: string, value: string | string[], secrets: readonly string[]): void {
  if (typeof value !== "string") for (const each of value) push(headers, name, each, secrets);
  else if (!holdsForm(value, secrets)) headers.push(name, value);
}
