import type { OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { http } from "@loom/api/http";
import { HEADER_NAME, NOT_IN_HEADER_LINES } from "../header-lines.ts";
import { NO_HEADERS, type RawOutgoing } from "../raw-exchange.ts";
import type { PlainRequest } from "./plain-request.ts";

/** Not imported: that would read each of its exports, at every start of a server of one turn. */
const { EventEmitter } = process.getBuiltinModule("node:events");

/** What stands behind each of our heads, or in its place. */
export type ConnectionHeaders = { readonly keepAlive: string; readonly close: string };

/** The answer to a plain request, written to its socket as it comes. */
export class PlainResponse extends EventEmitter implements RawOutgoing {
  readonly req: PlainRequest;
  readonly #socket: Socket;
  readonly #onEnded: () => void;
  readonly #connection: ConnectionHeaders;
  /** Not sent yet: it goes out with what follows. */
  #head = "";
  #isEnded = false;
  statusCode = 200;
  headersSent = false;
  destroyed = false;
  writableFinished = false;
  chunkedEncoding = false;
  inEveryHead: readonly string[] = NO_HEADERS;
  keepAlive: boolean;

  /** `onEnded`: all of it is written, though maybe not taken yet. */
  constructor(
    req: PlainRequest,
    {
      keepAlive,
      connection,
      onEnded,
    }: { readonly keepAlive: boolean; readonly connection: ConnectionHeaders; readonly onEnded: () => void },
  ) {
    super();
    this.req = req;
    this.#socket = req.socket;
    this.#onEnded = onEnded;
    this.#connection = connection;
    this.keepAlive = keepAlive;
  }

  get writableNeedDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Of the connection alone: everything else comes with the head. */
  setHeader(name: string, value: string): void {
    if (name.toLowerCase() !== "connection") throw new Error(`The header ${name} has to come with the head.`);
    if (value.toLowerCase() === "close") this.keepAlive = false;
  }

  /** @throws Error for what is no header, which nobody could tell from two */
  writeHead(status: number, headers: OutgoingHttpHeaders | readonly string[]): void {
    if (this.headersSent) throw new Error("The head was written before.");
    const given = isList(headers) ? linesOfList(headers) : linesOf(headers);
    const lines = this.inEveryHead === NO_HEADERS ? given : given + linesOfList(this.inEveryHead);
    if (NOT_IN_HEADER_LINES.test(lines)) throw new Error("A header of the answer holds control characters.");
    const isFramed = FRAMED.test(lines) || status === 204 || status === 304;
    if (!isFramed) this.keepAlive = false;
    this.statusCode = status;
    this.headersSent = true;
    const phrase = http.STATUS_CODES[status] ?? "unknown";
    const connection = this.keepAlive ? this.#connection.keepAlive : this.#connection.close;
    this.#head = `HTTP/1.1 ${status} ${phrase}\r\n${lines}Date: ${dateNow()}\r\n${connection}\r\n`;
  }

  flushHeaders(): void {
    if (!this.#isOpen) return;
    const head = this.#takeHead();
    if (head !== "") this.#socket.write(head, "latin1");
  }

  writeNow(...pieces: readonly (Buffer | string)[]): boolean {
    if (!this.#isOpen) return true;
    const socket = this.#socket;
    const head = this.#takeHead();
    const [first] = pieces;
    if (head === "" && pieces.length === 1 && first !== undefined) return socket.write(first);
    let isTaken = true;
    socket.cork();
    if (head !== "") socket.write(head, "latin1");
    for (const piece of pieces) isTaken = socket.write(piece);
    socket.uncork();
    return isTaken;
  }

  end(last: Buffer | string = "", encoding: BufferEncoding = "utf8"): void {
    if (!this.#isOpen) return;
    if (typeof last === "string") {
      // One system call, and no buffer, where all of it is of one byte for each character.
      if (encoding === "latin1" || last === "") {
        const text = this.#takeHead() + last;
        if (text !== "") this.#socket.write(text, "latin1");
      } else this.writeNow(Buffer.from(last, encoding));
    } else this.writeNow(last);
    this.#isEnded = true;
    this.#onEnded();
  }

  destroy(): void {
    // The connection may serve another one by now.
    if (this.destroyed) return;
    this.destroyed = true;
    this.#socket.destroy();
  }

  /** From the connection: it is over. */
  close({ isFinished }: { readonly isFinished: boolean }): void {
    this.destroyed = true;
    this.writableFinished = isFinished;
    this.emit("close");
  }

  get #isOpen(): boolean {
    return !this.destroyed && !this.#isEnded && this.#socket.writable;
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = "";
    return head;
  }
}

const FRAMED = /^(?:content-length|transfer-encoding):/im;

function isList(headers: OutgoingHttpHeaders | readonly string[]): headers is readonly string[] {
  return Array.isArray(headers);
}

function linesOfList(headers: readonly string[]): string {
  let lines = "";
  for (let index = 0; index + 1 < headers.length; index += 2) lines += line(headers[index] ?? "", headers[index + 1]);
  return lines;
}

function linesOf(headers: OutgoingHttpHeaders): string {
  let lines = "";
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) for (const each of value) lines += line(name, each);
    else if (value !== undefined) lines += line(name, String(value));
  }
  return lines;
}

/** @throws Error for what would be more than one line, or none */
function line(name: string, value = ""): string {
  if (value.includes("\n") || !isName(name)) throw new Error("A header of the answer holds control characters.");
  return `${name}: ${value}\r\n`;
}

/** The same few names go out with every answer. */
const names = new Set<string>();
const MAX_NAMES = 1_000;

function isName(name: string): boolean {
  if (names.has(name)) return true;
  if (!HEADER_NAME.test(name)) return false;
  if (names.size >= MAX_NAMES) names.clear();
  names.add(name);
  return true;
}

let dateText = "";
let dateSecond = 0;

/** As RFC 9110, section 5.6.7, wants it. */
function dateNow(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
