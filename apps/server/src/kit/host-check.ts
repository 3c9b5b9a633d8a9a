import { isIP } from "node:net";
import { flat } from "./flat-text.ts";
import { ProblemError } from "./problem-reply.ts";
import type { RequestHead } from "./request-head.ts";

export type HostPolicy = {
  /** Names by which the server may be called besides those of the loopback interface; no port, lower case. */
  readonly names: readonly string[];
  /** Addresses as host are fine on a server that listens wider: rebinding needs a name. */
  readonly anyAddress: boolean;
  /** e.g. `https://loom.example.com`. A browser page of any other origin, but for the server's own, is refused. */
  readonly origins: readonly string[];
  /** The server's own origin, for a request whose Host has been checked. */
  readonly ownOrigin: (request: RequestHead) => string;
};

/**
 * Refuses requests that a web page makes a browser send. A page that makes its own name point at this address ("DNS
 * rebinding") is found by the Host header, any other page by its Origin.
 * @throws ProblemError
 */
export function checkHostAndOrigin(request: RequestHead, policy: HostPolicy): void {
  const { rawHeaders } = request;
  const value = onlyValue(rawHeaders, "host");
  const host = value === undefined ? undefined : hostName(value);
  if (host === undefined || !isAllowedHost(host, policy)) {
    throw new ProblemError(
      "host_not_allowed",
      "This server does not answer under the name in the Host header; add the name to LOOM_SERVER_ALLOWED_HOSTS if it is yours.",
    );
  }
  // An absolute target would name another host than the one that was checked.
  if (request.url?.startsWith("/") !== true) {
    throw new ProblemError("host_not_allowed", "The request target has to be a path that begins with a slash.");
  }
  if (request.headers.origin === undefined) return;
  const origin = onlyValue(rawHeaders, "origin");
  if (origin !== undefined && isOwn(request, policy, origin)) return;
  if (origin === undefined || !policy.origins.includes(origin)) {
    throw new ProblemError(
      "origin_not_allowed",
      "Web pages of this origin may not use this server; add the origin to LOOM_SERVER_ALLOWED_ORIGINS if it is yours.",
    );
  }
  // A session is for the server's own pages: whoever else has its cookie sent along acts for somebody without asking.
  if (request.headers.cookie !== undefined) {
    throw new ProblemError(
      "origin_not_allowed",
      "Web pages of another origin use this server with a token, not with cookies: send the request without credentials.",
    );
  }
}

/**
 * The origin of the page that a request comes from, where that is none of the server's own and may use it; `undefined`
 * for all other requests, also for those that `checkHostAndOrigin` refuses because of their host.
 */
export function allowedOrigin(request: RequestHead, policy: HostPolicy): string | undefined {
  if (request.headers.origin === undefined) return undefined;
  const { rawHeaders } = request;
  const origin = onlyValue(rawHeaders, "origin");
  if (origin === undefined || !policy.origins.includes(origin) || isOwn(request, policy, origin)) return undefined;
  const host = hostName(onlyValue(rawHeaders, "host") ?? "");
  return host !== undefined && isAllowedHost(host, policy) ? origin : undefined;
}

/** Also where TLS ends in front of a server that was not told its public address: then the scheme alone differs. */
function isOwn(request: RequestHead, policy: HostPolicy, origin: string): boolean {
  if (origin === policy.ownOrigin(request)) return true;
  const { host } = request.headers;
  return (
    host !== undefined && policy.origins.includes(origin) && origin.replace(/^https?:\/\//, "") === host.toLowerCase()
  );
}

/** The value of a header that may come once; `undefined` where it does not or comes more often. */
function onlyValue(rawHeaders: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const found = rawHeaders[index];
    if (found?.length !== name.length || found.toLowerCase() !== name) continue;
    if (value !== undefined) return undefined;
    value = rawHeaders[index + 1];
  }
  return value;
}

/** `127.0.0.0/8`, `::1`, `localhost` and what ends in `.localhost` (RFC 6761, 6.3) never leave the machine. */
export function isLoopbackName(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host === "localhost" || host.endsWith(".localhost");
}

function isAllowedHost(host: string, policy: HostPolicy): boolean {
  return isLoopbackName(host) || policy.names.includes(host) || (policy.anyAddress && isIP(host) !== 0);
}

/** The name without its port; `undefined` for what is no valid `Host` (RFC 9110, 7.2). */
function hostName(value: string): string | undefined {
  const known = hostNames.get(value);
  if (known !== undefined) return known;
  const own = flat(value);
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(own);
  const name = (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, "");
  if (name === undefined) return undefined;
  if (hostNames.size >= MAX_HOST_NAMES) hostNames.clear();
  hostNames.set(own, name);
  return name;
}

/** By what stands in the header: the same few come with every request. */
const hostNames = new Map<string, string>();
const MAX_HOST_NAMES = 1_000;
