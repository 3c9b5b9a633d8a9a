import { HEADER_NAME, isHeaderValue } from "../../kit/header-lines.ts";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import type { UpstreamHeaders } from "./transport.ts";

/** Up to this size a piece is copied to stand between its size and its line end, which is cheaper than three buffers. */
const COPIED = 16 * 1024;
/** An answer up to this size goes out as text with its head: one system call and no buffer. */
const ONE_PIECE = 16 * 1024;

/**
 * The head and the body of a client's answer as they come. Chunks are framed here (RFC 9112, section 7.1): Node hands
 * each of them to the socket in four parts, and waits for the next tick to do so.
 */
export class ClientBody {
  readonly #outgoing: RawOutgoing;
  readonly #framed: boolean;

  /** `headers`: flat, name after value, and with nothing in them about the body's framing but a length. */
  constructor(outgoing: RawOutgoing, status: number, headers: string[]) {
    const { httpVersion, method } = outgoing.req;
    const isBodiless = method === "HEAD" || status === 204 || status === 304;
    this.#outgoing = outgoing;
    this.#framed = httpVersion === "1.1" && !isBodiless && !headers.includes("content-length");
    if (this.#framed) headers.push("transfer-encoding", "chunked");
    outgoing.writeHead(status, headers);
    // The head says so; the rest is done here.
    if (this.#framed) outgoing.chunkedEncoding = false;
  }

  /** The same for text, which becomes bytes where it is framed. */
  writeText(text: string): boolean {
    const outgoing = this.#outgoing;
    if (text === "") return true;
    return outgoing.writeNow(this.#framed ? framedText(text) : text);
  }

  /** `false`: the client takes no more for now, and the response will say `drain`. */
  write(chunk: Buffer): boolean {
    const outgoing = this.#outgoing;
    if (chunk.length === 0) return true;
    if (!this.#framed) return outgoing.writeNow(chunk);
    if (chunk.length <= COPIED) return outgoing.writeNow(framed(chunk));
    return outgoing.writeNow(Buffer.from(`${chunk.length.toString(16)}\r\n`, "latin1"), chunk, LINE_END);
  }

  /** `last`: the whole body, or the rest of it. */
  end(last: Buffer | undefined, trailers: UpstreamHeaders): void {
    const outgoing = this.#outgoing;
    if (!this.#framed) {
      if (last === undefined || last.length === 0) outgoing.end();
      else if (last.length <= ONE_PIECE) outgoing.end(last.toString("latin1"), "latin1");
      else outgoing.end(last);
      return;
    }
    if (last !== undefined) this.write(last);
    let end = "0\r\n";
    for (const name in trailers) {
      const value = trailers[name];
      if (typeof value === "string" && HEADER_NAME.test(name) && isHeaderValue(value)) end += `${name}: ${value}\r\n`;
    }
    outgoing.end(`${end}\r\n`, "latin1");
  }
}

const LINE_END = Buffer.from("\r\n", "latin1");
const CR = 0x0d;
const LF = 0x0a;

function framed(chunk: Buffer): Buffer {
  const size = chunk.length.toString(16);
  const start = size.length + 2;
  const bytes = Buffer.allocUnsafe(start + chunk.length + 2);
  for (let index = 0; index < size.length; index += 1) bytes[index] = size.charCodeAt(index);
  bytes[start - 2] = CR;
  bytes[start - 1] = LF;
  chunk.copy(bytes, start);
  bytes[bytes.length - 2] = CR;
  bytes[bytes.length - 1] = LF;
  return bytes;
}

function framedText(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const size = `${length.toString(16)}\r\n`;
  const bytes = Buffer.allocUnsafe(size.length + length + 2);
  bytes.write(size, 0, "latin1");
  bytes.write(text, size.length, "utf8");
  bytes[bytes.length - 2] = CR;
  bytes[bytes.length - 1] = LF;
  return bytes;
}
