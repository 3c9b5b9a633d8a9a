import { PAYER_HEADERS, type Payer } from "../../kit/charged-nodes.ts";
import { flat } from "../../kit/flat-text.ts";
import type { RequestHead } from "../../kit/request-head.ts";

/** Headers of one request that Loom itself looks at, found in one walk. */
export type ClientHeaders = {
  /** `undefined`: none, or several that differ, or two of the header that stands once in a request. */
  readonly token: string | undefined;
  /** What goes to the provider as it came: flat, name after value. */
  readonly forwarded: readonly string[];
  readonly session: string | undefined;
  readonly client: string;
  /** Who the client says pays for it; absent: it says nothing. */
  readonly payers?: readonly Payer[];
};

/** Of this connection, or Loom's own business. Nothing of it goes to a provider. */
const KEPT: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "host",
  "content-length",
  "expect",
  "accept-encoding",
  "cookie",
  "forwarded",
  "via",
  "x-real-ip",
  // They say on whose account a request runs; that is decided here.
  "openai-organization",
  "openai-project",
  "x-goog-user-project",
  // An answer without its counts, or in a form of its own; another method than the one that was looked at here.
  "x-goog-fieldmask",
  "x-goog-encode-response-if-executable",
  "x-method-override",
]);

const KEPT_BEGINNINGS = ["x-forwarded-", "x-http-method"];

const TOKEN_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "x-api-key",
  "x-goog-api-key",
  "api-key",
  "proxy-authorization",
]);

/** Where clients say which of their sessions a request belongs to. */
const SESSION_HEADERS: ReadonlySet<string> = new Set([
  "x-loom-session",
  "x-claude-code-session-id",
  "x-session-id",
  "session_id",
  "session-id",
]);

const MAX_SESSION = 128;
const MAX_CLIENT = 60;

/** `redact`: takes what is secret out of what a client calls itself and its session. */
export function readClientHeaders(
  incoming: RequestHead,
  queryToken: string | undefined,
  redact: (text: string) => string,
): ClientHeaders {
  const raw = incoming.rawHeaders;
  const forwarded: string[] = [];
  const listed = incoming.headers.connection === undefined ? undefined : connectionOptions(incoming.headers.connection);
  let authorizations = 0;
  let tokens: string[] | undefined = queryToken === undefined ? undefined : [queryToken];
  let session: string | undefined;
  let client = "";
  let payers: Payer[] | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const original = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    const name = original.toLowerCase();
    if (TOKEN_HEADERS.has(name)) {
      if (name === "authorization") authorizations += 1;
      const token = name.endsWith("authorization") ? bearer(value) : value.trim();
      if (name === "proxy-authorization" || token === undefined || token === "") continue;
      if (tokens === undefined) tokens = [token];
      else tokens.push(token);
      continue;
    }
    if (SESSION_HEADERS.has(name)) session ??= flat(redact(value).slice(0, MAX_SESSION));
    if (name.startsWith("x-loom-")) {
      if (name === PAYER_HEADERS.organization) payers = [...(payers ?? []), { kind: "organization", id: flat(value) }];
      else if (name === PAYER_HEADERS.team) payers = [...(payers ?? []), { kind: "team", id: flat(value) }];
      continue;
    }
    if (KEPT.has(name) || KEPT_BEGINNINGS.some((each) => name.startsWith(each)) || listed?.has(name) === true) continue;
    if (name === "user-agent") client = productOf(redact(value));
    forwarded.push(original, value);
  }
  return {
    token: tokens === undefined || authorizations > 1 ? undefined : oneToken(tokens),
    forwarded,
    session,
    client,
    ...(payers === undefined ? {} : { payers }),
  };
}

/** `?key=…` is how Gemini's REST examples send it; it must not be seen any further. */
export function splitQuery(url: string): {
  readonly path: string;
  readonly query: string;
  readonly token: string | undefined;
} {
  const start = url.indexOf("?");
  if (start === -1) return { path: url, query: "", token: undefined };
  const path = url.slice(0, start);
  const parts = url.slice(start + 1).split("&");
  const keys = parts.filter(isKey);
  if (keys.length === 0) return { path, query: url.slice(start), token: undefined };
  const rest = parts.filter((part) => !isKey(part)).join("&");
  return {
    path,
    query: rest === "" ? "" : `?${rest}`,
    token: keys.length === 1 ? decodeKey(keys[0] ?? "") : undefined,
  };
}

function isKey(part: string): boolean {
  return /^(?:k|%6b)(?:e|%65)(?:y|%79)=/i.test(part);
}

function decodeKey(part: string): string | undefined {
  try {
    return decodeURIComponent(part.slice(part.indexOf("=") + 1));
  } catch {
    return undefined;
  }
}

/** Some clients send a Loom token in one header and a placeholder of their own in another. */
function oneToken(tokens: readonly string[]): string | undefined {
  const [first] = tokens;
  if (tokens.every((token) => token === first)) return first;
  const ours = tokens.filter((token) => token.startsWith("lt_"));
  return ours.every((token) => token === ours[0]) ? ours[0] : undefined;
}

function bearer(value: string): string | undefined {
  return /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(value)?.[1];
}

function connectionOptions(value: string): ReadonlySet<string> | undefined {
  const options = value.toLowerCase();
  return options === "keep-alive" || options === "close"
    ? undefined
    : new Set(options.split(",").map((name) => name.trim()));
}

/** `claude-cli/2.1.5 (external, cli)` is `claude-cli/2.1.5`; Gemini CLI puts the model into its product, after the version. */
function productOf(userAgent: string): string {
  const known = products.get(userAgent);
  if (known !== undefined) return known;
  const own = flat(userAgent);
  const [product = ""] = /^[^ /]*(?:\/[^ /]*)?/.exec(own) ?? [];
  const name = product.slice(0, MAX_CLIENT).replaceAll(/[^\x21-\x7e]/g, "?");
  if (products.size >= MAX_PRODUCTS) products.clear();
  products.set(own, name);
  return name;
}

/** By what stands in the header: the same few come with every request. */
const products = new Map<string, string>();
const MAX_PRODUCTS = 500;
