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

type OutgoingHeaders = Record<string, string | string[]>;

/** The provider's headers without those of the connection, and ours. */
export function responseHeaders(
  upstream: UpstreamHeaders,
  ours: { readonly [name: string]: string },
  { eventStream, changed }: { readonly eventStream: boolean; readonly changed: boolean },
): OutgoingHeaders {
  const headers: OutgoingHeaders = {};
  for (const name in upstream) {
    const value = upstream[name];
    if (value === undefined || DROPPED.has(name) || name.startsWith("access-control-")) continue;
    if (changed && name === "content-length") continue;
    if (name === "x-request-id") headers["x-upstream-request-id"] = value;
    else headers[name] = value;
  }
  if (eventStream) {
    // nginx and its like hold nothing back.
    headers["x-accel-buffering"] = "no";
    headers["cache-control"] ??= "no-cache, no-transform";
  }
  for (const name in ours) headers[name] = ours[name] ?? "";
  return headers;
}
