import type { OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { http } from "@loom/api/http";
import { flat } from "../flat-text.ts";
import { HEADER_NAME, isHeaderValue } from "../header-lines.ts";
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
    const lines = new HeaderLines();
    if (isList(headers)) lines.addList(headers);
    else lines.addAll(headers);
    if (this.inEveryHead !== NO_HEADERS) lines.addList(this.inEveryHead);
    if (!lines.frameBody && status !== 204 && status !== 304) this.keepAlive = false;
    this.statusCode = status;
    this.headersSent = true;
    const phrase = http.STATUS_CODES[status] ?? "unknown";
    const connection = this.keepAlive ? this.#connection.keepAlive : this.#connection.close;
    this.#head = `HTTP/1.1 ${status} ${phrase}\r\n${lines.text}Date: ${dateNow()}\r\n${connection}\r\n`;
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

function isList(headers: OutgoingHttpHeaders | readonly string[]): headers is readonly string[] {
  return Array.isArray(headers);
}

/** Of a head, as they are put together. All throw an Error for what would be more than one line, or none. */
class HeaderLines {
  text = "";
  /** Whether one of them says where the body ends. */
  frameBody = false;

  /** Flat, name after value. */
  addList(headers: readonly string[]): void {
    for (let index = 0; index + 1 < headers.length; index += 2)
      this.add(headers[index] ?? "", headers[index + 1] ?? "");
  }

  addAll(headers: OutgoingHttpHeaders): void {
    for (const name in headers) {
      const value = headers[name];
      if (Array.isArray(value)) for (const each of value) this.add(name, each);
      else if (value !== undefined) this.add(name, String(value));
    }
  }

  add(name: string, value: string): void {
    const { text, framesBody } = beginningOf(name);
    if (!isHeaderValue(value)) throw new Error(CONTROLS);
    if (framesBody) this.frameBody = true;
    this.text += `${text}${value}\r\n`;
  }
}

type Beginning = { readonly text: string; readonly framesBody: boolean };

/** The same few names go out with every answer: each is looked at once. */
const beginnings = new Map<string, Beginning>();
const MAX_NAMES = 1_000;

/** What a header's line begins with. */
function beginningOf(name: string): Beginning {
  const known = beginnings.get(name);
  if (known !== undefined) return known;
  if (!HEADER_NAME.test(name)) throw new Error(CONTROLS);
  const beginning = { text: flat(`${name}: `), framesBody: /^(?:content-length|transfer-encoding)$/i.test(name) };
  if (beginnings.size >= MAX_NAMES) beginnings.clear();
  beginnings.set(name, beginning);
  return beginning;
}

const CONTROLS = "A header of the answer holds control characters.";

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
