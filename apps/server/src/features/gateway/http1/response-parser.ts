import type { UpstreamHeaders } from "../transport.ts";
import { BadResponse, checkCharacters, type ResponseHead, readHeaderLines, readResponseHead } from "./response-head.ts";

/** What comes out of the bytes of responses. A call may tell the parser to stop. */
export type ResponseSink = {
  /** Also for 1xx, after which another head follows. */
  onHead(head: ResponseHead): void;
  onBody(chunk: Buffer): void;
  onEnd(trailers: UpstreamHeaders): void;
};

type State = "idle" | "head" | "length" | "close" | "chunk size" | "chunk" | "chunk end" | "trailers" | "stopped";

const HEAD_END = Buffer.from("\r\n\r\n", "latin1");
const MAX_HEAD_BYTES = 64 * 1024;
/** A chunk's size with what may stand behind it. */
const MAX_SIZE_LINE = 4 * 1024;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Bytes to HTTP/1.1 responses, one after the other on one connection; any split of the bytes gives the same. What comes
 * in one piece from the network goes out in one piece, however many chunks it came in.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = "idle";
  #toHead = false;
  /** Of a head, a chunk's size or trailers: what came so far. */
  #held: Buffer | undefined;
  /** Of the body or of the chunk: what is still to come, in bytes. */
  #left = 0;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** A response is expected. */
  begin({ toHead }: { readonly toHead: boolean }): void {
    this.#state = "head";
    this.#toHead = toHead;
  }

  /** Nothing more comes out, whatever comes in. */
  stop(): void {
    this.#state = "stopped";
    this.#held = undefined;
  }

  /** Takes the bytes over: it may move them about. @throws BadResponse, and whatever the sink throws */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#state !== "stopped") at = this.#step(bytes, at);
  }

  /** The other side says nothing more. `false`: in the middle of something. */
  finish(): boolean {
    if (this.#state !== "close") return this.#state === "idle" || this.#state === "stopped";
    this.#end(NO_TRAILERS);
    return true;
  }

  /** Gives where it goes on. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "idle":
        throw new BadResponse("HPE_CLOSED_CONNECTION", "There are bytes behind the end of the response.");
      case "head":
        return this.#head(bytes, at);
      case "length":
        return this.#body(bytes, at);
      case "close":
        this.#sink.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      default:
        return this.#chunked(bytes, at);
    }
  }

  #head(bytes: Buffer, at: number): number {
    const held = this.#held;
    const all = held === undefined ? bytes : Buffer.concat([held, at === 0 ? bytes : bytes.subarray(at)]);
    const start = held === undefined ? at : 0;
    // The end may lie across the seam.
    const end = all.indexOf(HEAD_END, held === undefined ? at : Math.max(0, held.length - 3));
    if ((end === -1 ? all.length : end) - start > MAX_HEAD_BYTES)
      throw new BadResponse("HPE_HEADER_OVERFLOW", `The head is larger than ${MAX_HEAD_BYTES} bytes.`);
    if (end === -1) {
      this.#held = start === 0 ? all : all.subarray(start);
      return bytes.length;
    }
    this.#held = undefined;
    const head = readResponseHead(all.toString("latin1", start, end), { toHead: this.#toHead });
    const next = end + HEAD_END.length - (all.length - bytes.length);
    if (head.status < 200) {
      // Nobody asked for another protocol.
      if (head.status === 101) throw new BadResponse("HPE_INVALID_STATUS", "The protocol was changed unasked.");
      this.#sink.onHead(head);
      return next;
    }
    switch (head.body.type) {
      case "none":
        this.#state = "idle";
        break;
      case "length":
        this.#state = "length";
        this.#left = head.body.bytes;
        break;
      case "chunked":
        this.#state = "chunk size";
        break;
      case "close":
        this.#state = "close";
    }
    const isOver = head.body.type === "none";
    this.#sink.onHead(head);
    if (isOver && this.#state === "idle") this.#sink.onEnd(NO_TRAILERS);
    return next;
  }

  #body(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    const isLast = this.#left === 0;
    this.#sink.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    if (isLast && this.#state === "length") this.#end(NO_TRAILERS);
    return end;
  }

  /** Goes through all chunks that are there, moves what is in them together and hands it over at once. */
  #chunked(bytes: Buffer, start: number): number {
    let at = start;
    let from = start;
    let to = start;
    let trailers: UpstreamHeaders | undefined;
    while (at < bytes.length && trailers === undefined) {
      switch (this.#state) {
        case "chunk size":
          at = this.#size(bytes, at);
          break;
        case "chunk": {
          const end = Math.min(bytes.length, at + this.#left);
          this.#left -= end - at;
          if (to === from) {
            from = at;
            to = end;
          } else {
            bytes.copyWithin(to, at, end);
            to += end - at;
          }
          at = end;
          if (this.#left === 0) this.#state = "chunk end";
          break;
        }
        case "chunk end":
          // Two steps: CR may be the last byte of one piece and LF the first of the next.
          if (this.#left === 0 && bytes[at] === CR) this.#left = -1;
          else if (this.#left === -1 && bytes[at] === LF) {
            this.#left = 0;
            this.#state = "chunk size";
          } else throw new BadResponse("HPE_STRICT", "A chunk is longer than its size says.");
          at += 1;
          break;
        default: {
          const end = this.#line(bytes, at, MAX_HEAD_BYTES, isEndOfTrailers);
          at = end.at;
          if (end.text !== undefined) trailers = readTrailers(end.text);
        }
      }
    }
    if (to > from) this.#sink.onBody(bytes.subarray(from, to));
    if (trailers !== undefined && this.#state === "trailers") this.#end(trailers);
    return at;
  }

  #size(bytes: Buffer, start: number): number {
    const { at, text } = this.#line(bytes, start, MAX_SIZE_LINE, isEndOfLine);
    if (text === undefined) return at;
    const size = CHUNK_SIZE.exec(text)?.[1];
    if (size === undefined) throw new BadResponse("HPE_INVALID_CHUNK_SIZE", "The size of a chunk is malformed.");
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? "trailers" : "chunk";
    return at;
  }

  /** Up to where `isEnd` says so; the text without what ends it, or nothing as long as it is not all there. */
  #line(
    bytes: Buffer,
    start: number,
    max: number,
    isEnd: (bytes: Buffer, start: number, lineFeed: number) => number,
  ): { readonly at: number; readonly text: string | undefined } {
    const held = this.#held;
    const all = held === undefined ? bytes : Buffer.concat([held, bytes.subarray(start)]);
    const from = held === undefined ? start : 0;
    const shift = held === undefined ? 0 : start - held.length;
    for (let lineFeed = all.indexOf(LF, from); lineFeed !== -1; lineFeed = all.indexOf(LF, lineFeed + 1)) {
      const end = isEnd(all, from, lineFeed);
      if (end === -1) continue;
      if (end - from > max) break;
      this.#held = undefined;
      return { at: lineFeed + 1 + shift, text: all.toString("latin1", from, end) };
    }
    if (all.length - from > max)
      throw new BadResponse("HPE_HEADER_OVERFLOW", "A line of the body's framing is too long.");
    this.#held = from === 0 ? all : all.subarray(from);
    return { at: bytes.length, text: undefined };
  }

  #end(trailers: UpstreamHeaders): void {
    this.#state = "idle";
    this.#sink.onEnd(trailers);
  }
}

const NO_TRAILERS: UpstreamHeaders = {};

/** With extensions, which nobody knows and which may be left out of account (RFC 9112, section 7.1.1). */
const CHUNK_SIZE = /^([0-9a-fA-F]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

function isEndOfLine(bytes: Buffer, start: number, lineFeed: number): number {
  if (lineFeed === start || bytes[lineFeed - 1] !== CR)
    throw new BadResponse("HPE_CR_EXPECTED", "A line of the body's framing ends without a carriage return.");
  return lineFeed - 1;
}

/** A blank line, at once or behind others. */
function isEndOfTrailers(bytes: Buffer, start: number, lineFeed: number): number {
  const end = isEndOfLine(bytes, start, lineFeed);
  if (end === start) return end;
  return bytes[end - 1] === LF ? Math.max(start, end - 2) : -1;
}

function readTrailers(text: string): UpstreamHeaders {
  if (text === "") return NO_TRAILERS;
  checkCharacters(text);
  return readHeaderLines(text, 0);
}
