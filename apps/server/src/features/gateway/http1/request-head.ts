import { flat } from "../../../kit/flat-text.ts";
import { HEADER_NAME, isHeaderValue } from "../../../kit/header-lines.ts";
import type { UpstreamRequest } from "../transport.ts";

/** How the end of a request's body is told. */
export type RequestFraming =
  | { readonly type: "none" }
  | { readonly type: "length"; readonly bytes: number }
  | { readonly type: "chunked" };

const METHOD = /^[A-Z]{1,20}$/;
const PATH = /^\/[\x21-\x7e]*$/;

/** What only the one who writes the request may say. */
const OWN: ReadonlySet<string> = new Set(["host", "connection", "transfer-encoding", "upgrade", "expect", "trailer"]);

/** Methods whose body is expected even where there is none. */
const WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** How the body of this request will be framed. A stream's length is its sender's word for it. */
export function framingOf({ method, headers, body }: UpstreamRequest): RequestFraming {
  if (body === null) return WITH_BODY.has(method) ? { type: "length", bytes: 0 } : { type: "none" };
  if (Buffer.isBuffer(body)) return { type: "length", bytes: body.length };
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== "content-length") continue;
    const value = headers[index + 1] ?? "";
    if (!/^\d{1,15}$/.test(value)) throw new TypeError("The length of the request's body is malformed.");
    return { type: "length", bytes: Number(value) };
  }
  return { type: "chunked" };
}

/**
 * The request line and the headers with their blank line, as latin1.
 * @throws TypeError where something would break out of its line; nothing has been sent then
 */
export function requestHead(host: string, { method, path, headers }: UpstreamRequest, framing: RequestFraming): string {
  if (!METHOD.test(method)) throw new TypeError("The method of the request is malformed.");
  if (!PATH.test(path)) throw new TypeError("The path of the request is malformed.");
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    const beginning = beginningOf(name);
    if (beginning === "") continue;
    if (!isHeaderValue(value)) throw new TypeError("The value of a header holds what no header may hold.");
    head += `${beginning}${value}\r\n`;
  }
  switch (framing.type) {
    case "length":
      return `${head}content-length: ${framing.bytes}\r\n\r\n`;
    case "chunked":
      return `${head}transfer-encoding: chunked\r\n\r\n`;
    case "none":
      return `${head}\r\n`;
  }
}

/** The same few names come with every request: each is looked at once. */
const beginnings = new Map<string, string>();
const MAX_NAMES = 1_000;

/** Of a header's line; empty for one that is not sent, because it is said otherwise. */
function beginningOf(name: string): string {
  const known = beginnings.get(name);
  if (known !== undefined) return known;
  if (!HEADER_NAME.test(name)) throw new TypeError("The name of a header is malformed.");
  const lower = name.toLowerCase();
  if (OWN.has(lower)) throw new TypeError(`The header ${lower} is not for the caller to set.`);
  const beginning = lower === "content-length" ? "" : flat(`${name}: `);
  if (beginnings.size >= MAX_NAMES) beginnings.clear();
  beginnings.set(name, beginning);
  return beginning;
}
