import { flat } from "../flat-text.ts";
import { HEADER_NAME, NOT_IN_HEADER_LINES } from "../header-lines.ts";

/** The head of a request that needs no more than a few lines to be understood. */
export type PlainHead = {
  /** A path, maybe with a query. */
  readonly url: string;
  /** Flat, name after value, as they came. */
  readonly rawHeaders: string[];
  /** By names in lower case; none came twice. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the body, in bytes. */
  readonly length: number;
  /** Whether the client wants to use the connection again. */
  readonly keepAlive: boolean;
};

const METHOD = "POST ";
const VERSION = " HTTP/1.1";
/** The characters of RFC 3986 that need no escape in a path or a query. */
const URL = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*$/;
const LENGTH = /^\d{1,8}$/;
/** A body for whoever could be waiting for us, or of a length that only its end tells; or another protocol. */
const UNUSUAL = ["transfer-encoding", "expect", "upgrade", "http2-settings"] as const;
/** Node takes in so many at most. */
const MAX_HEADERS = 100;

/**
 * Reads a head (RFC 9112): `text` is latin1, without the blank line that ends it. `undefined`: it is nothing that two
 * readers could not understand differently, or nothing usual, and is for Node's own parser to judge: anything but a POST to
 * a path with a body of a given length, and any header that came twice, folded, or with something odd in it.
 */
export function readPlainHead(text: string): PlainHead | undefined {
  if (NOT_IN_HEADER_LINES.test(text)) return undefined;
  const lineEnd = text.indexOf("\r\n");
  const urlEnd = lineEnd - VERSION.length;
  if (lineEnd === -1 || !text.startsWith(METHOD) || !text.startsWith(VERSION, urlEnd)) return undefined;
  const url = text.slice(METHOD.length, urlEnd);
  if (!URL.test(url)) return undefined;
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = {};
  for (let at = lineEnd + 2; at < text.length; ) {
    const found = text.indexOf("\r\n", at);
    const end = found === -1 ? text.length : found;
    const colon = text.indexOf(":", at);
    if (colon === -1 || colon >= end) return undefined;
    const written = text.slice(at, colon);
    const name = headerName(written);
    if (name === undefined || headers[name] !== undefined) return undefined;
    const value = withoutBlanks(text, colon + 1, end);
    headers[name] = value;
    rawHeaders.push(written, value);
    if (rawHeaders.length > 2 * MAX_HEADERS) return undefined;
    at = end + 2;
  }
  const { host, connection, "content-length": length } = headers;
  if (host === undefined || length === undefined || !LENGTH.test(length)) return undefined;
  for (const name of UNUSUAL) if (headers[name] !== undefined) return undefined;
  const wish = connection?.toLowerCase() ?? "keep-alive";
  if (wish !== "keep-alive" && wish !== "close") return undefined;
  return { url, rawHeaders, headers, length: Number(length), keepAlive: wish === "keep-alive" };
}

/** Without spaces and tabs at its ends, and with all else that `trim` would take away. */
function withoutBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The same few names come with every request. */
const names = new Map<string, string>();
const MAX_NAMES = 1_000;
const MAX_NAME = 64;

function headerName(written: string): string | undefined {
  const known = names.get(written);
  if (known !== undefined) return known;
  const name = flat(written.toLowerCase());
  // As the key of a plain object it would be lost.
  if (!HEADER_NAME.test(written) || name in Object.prototype) return undefined;
  if (written.length > MAX_NAME) return name;
  if (names.size >= MAX_NAMES) names.clear();
  names.set(flat(written), name);
  return name;
}
