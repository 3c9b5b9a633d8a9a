import { HEADER_NAME, NOT_IN_HEADER_LINES } from "../../../kit/header-lines.ts";
import type { UpstreamHeaders } from "../transport.ts";

/** The head of a response, and what it says about the body. */
export type ResponseHead = {
  readonly status: number;
  /** Names in lower case; a list where one came several times. */
  readonly headers: UpstreamHeaders;
  readonly body: BodyFraming;
  /** Whether the connection may be used again once the body is over. */
  readonly keepAlive: boolean;
  /** How long the other side keeps an idle connection, in milliseconds, where it says so. */
  readonly idleMs: number | undefined;
};

export type BodyFraming =
  | { readonly type: "none" }
  | { readonly type: "length"; readonly bytes: number }
  | { readonly type: "chunked" }
  /** Until the connection ends. */
  | { readonly type: "close" };

/** Something that is no HTTP/1.1 response. `code` in the manner of Node's own parser. */
export class BadResponse extends Error {
  override readonly name = "BadResponse";
  readonly code: `HPE_${string}`;

  constructor(code: BadResponse["code"], message: string) {
    super(message);
    this.code = code;
  }
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const MAX_HEADERS = 256;

/**
 * Reads a head (RFC 9112): `text` is latin1, without the blank line that ends it. Strict where two readers could
 * disagree: no folded lines, no blanks before a colon, one length or one coding, and never both.
 * `toHead`: the request was a HEAD, whose answer has no body.
 * @throws BadResponse
 */
export function readResponseHead(text: string, { toHead }: { readonly toHead: boolean }): ResponseHead {
  checkCharacters(text);
  const lineEnd = text.indexOf("\r\n");
  const line = STATUS_LINE.exec(lineEnd === -1 ? text : text.slice(0, lineEnd));
  if (line === null) throw new BadResponse("HPE_INVALID_STATUS", "The status line is malformed.");
  const status = Number(line[2]);
  const headers: Record<string, string | string[]> = lineEnd === -1 ? {} : readHeaderLines(text, lineEnd + 2);
  const length = headers["content-length"];
  // Who reads several next might refuse them.
  if (typeof length === "object") headers["content-length"] = oneLength(length);
  const isOld = line[1] === "0";
  const connection = oneLower(headers.connection);
  const body = framing(status, headers, toHead);
  const keepAlive = !isOld && body.type !== "close" && (connection === "" || !/\bclose\b/.test(connection));
  return { status, headers, body, keepAlive, idleMs: idleMs(headers["keep-alive"]) };
}

/** @throws BadResponse where a line could be taken for two, or for none */
export function checkCharacters(text: string): void {
  if (NOT_IN_HEADER_LINES.test(text))
    throw new BadResponse("HPE_INVALID_HEADER_TOKEN", "A header holds control characters.");
}

/** Header lines from `start` on, also those behind a chunked body. @throws BadResponse */
export function readHeaderLines(text: string, start: number): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  let count = 0;
  for (let at = start; at < text.length; ) {
    const found = text.indexOf("\r\n", at);
    const end = found === -1 ? text.length : found;
    const colon = text.indexOf(":", at);
    if (colon === -1 || colon >= end) throw new BadResponse("HPE_INVALID_HEADER_TOKEN", "A header has no colon.");
    const name = headerName(text.slice(at, colon));
    const value = text.slice(colon + 1, end).trim();
    const known = headers[name];
    if (known === undefined) headers[name] = value;
    else if (typeof known === "string") headers[name] = [known, value];
    else known.push(value);
    count += 1;
    if (count > MAX_HEADERS)
      throw new BadResponse("HPE_HEADER_OVERFLOW", `There are more than ${MAX_HEADERS} headers.`);
    at = end + 2;
  }
  return headers;
}

/** The same few names come with every response. */
const names = new Map<string, string>();
const MAX_NAMES = 1_000;

function headerName(written: string): string {
  const known = names.get(written);
  if (known !== undefined) return known;
  // As the key of a plain object it would be lost.
  if (!HEADER_NAME.test(written) || written.toLowerCase() === "__proto__")
    throw new BadResponse("HPE_INVALID_HEADER_TOKEN", "The name of a header is malformed.");
  const name = written.toLowerCase();
  if (names.size >= MAX_NAMES) names.clear();
  names.set(written, name);
  return name;
}

/** RFC 9112, section 6.3. */
function framing(status: number, headers: UpstreamHeaders, toHead: boolean): BodyFraming {
  const coding = headers["transfer-encoding"];
  const length = headers["content-length"];
  if (status < 200 || status === 204 || status === 304 || toHead) return NO_BODY;
  if (coding !== undefined) {
    if (length !== undefined)
      throw new BadResponse("HPE_INVALID_TRANSFER_ENCODING", "The head gives both a length and a coding.");
    if (oneLower(coding) !== "chunked")
      throw new BadResponse("HPE_INVALID_TRANSFER_ENCODING", "The coding of the body is not chunked.");
    return CHUNKED;
  }
  if (length === undefined) return UNTIL_CLOSE;
  if (typeof length !== "string" || !/^\d{1,15}$/.test(length)) throw badLength();
  const bytes = Number(length);
  return bytes === 0 ? NO_BODY : { type: "length", bytes };
}

/** Several that agree are one (RFC 9112, section 6.3). @throws BadResponse */
function oneLength(lengths: readonly string[]): string {
  const [first = ""] = lengths;
  if (lengths.some((each) => each !== first)) throw badLength();
  return first;
}

const badLength = (): BadResponse =>
  new BadResponse("HPE_INVALID_CONTENT_LENGTH", "The length of the body is malformed.");

const NO_BODY: BodyFraming = { type: "none" };
const CHUNKED: BodyFraming = { type: "chunked" };
const UNTIL_CLOSE: BodyFraming = { type: "close" };

function oneLower(value: string | string[] | undefined): string {
  if (value === undefined) return "";
  return (typeof value === "string" ? value : value.join(", ")).toLowerCase();
}

/** Of `Keep-Alive: timeout=5`. */
function idleMs(value: string | string[] | undefined): number | undefined {
  if (typeof value !== "string") return undefined;
  const seconds = /\btimeout="?(\d{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
