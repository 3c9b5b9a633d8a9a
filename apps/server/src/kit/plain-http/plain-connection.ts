import type { Socket } from "node:net";
import type { Listed } from "../live-list.ts";
import { readPlainHead } from "./plain-head.ts";
import { PlainRequest } from "./plain-request.ts";
import { type ConnectionHeaders, PlainResponse } from "./plain-response.ts";

/** Who keeps the connections. */
export type PlainKeeper = {
  readonly connection: ConnectionHeaders;
  /** Whether a request to this path, which may have a query, is one for `handle`. */
  accepts(url: string): boolean;
  handle(incoming: PlainRequest, outgoing: PlainResponse): void;
  /** It is no longer ours: what comes next is for Node's parser. */
  handOver(connection: PlainConnection, socket: Socket): void;
  /** It is no more. */
  onGone(connection: PlainConnection): void;
  /** Seconds of the process. */
  now(): number;
};

const HEAD_END = Buffer.from("\r\n\r\n", "latin1");
const MAX_HEAD_BYTES = 16 * 1024;
/** What a client may send ahead of its turn. */
const MAX_AHEAD_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * One client's connection as long as nothing comes on it but plain requests: see `readPlainHead`. Where something else
 * comes, or something that is not there as a whole, the socket goes over to Node's server with all that was not read yet,
 * and stays there.
 */
export class PlainConnection implements Listed {
  readonly #socket: Socket;
  readonly #keeper: PlainKeeper;
  #request: PlainRequest | undefined;
  #response: PlainResponse | undefined;
  /** Of the request's body: what is still to come, in bytes. */
  #left = 0;
  /** What came behind it. */
  #ahead: Buffer | undefined;
  /** Since when it has been waiting for what it is waiting for, in seconds of the process. */
  since: number;
  isFresh = true;
  place = -1;

  constructor(socket: Socket, keeper: PlainKeeper) {
    this.#socket = socket;
    this.#keeper = keeper;
    this.since = keeper.now();
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    // The socket closes, which says so too.
    socket.on("error", ignore);
  }

  get isIdle(): boolean {
    return this.#request === undefined;
  }

  get waitsForBody(): boolean {
    return this.#left > 0;
  }

  get canBeAnswered(): boolean {
    return this.#response !== undefined && !this.#response.headersSent;
  }

  get socket(): Socket {
    return this.#socket;
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#request === undefined) this.#begin(bytes);
    else this.#take(this.#request, bytes, 0);
  };

  #begin(bytes: Buffer): void {
    const end = bytes.indexOf(HEAD_END);
    const head = end === -1 || end > MAX_HEAD_BYTES ? undefined : readPlainHead(bytes.toString("latin1", 0, end));
    if (head === undefined || !this.#keeper.accepts(head.url)) {
      this.#handOver(bytes);
      return;
    }
    this.isFresh = false;
    this.since = this.#keeper.now();
    const request = new PlainRequest(this.#socket, head);
    const response = new PlainResponse(request, {
      keepAlive: head.keepAlive,
      connection: this.#keeper.connection,
      onEnded: () => this.#onEnded(response),
    });
    this.#request = request;
    this.#response = response;
    this.#left = head.length;
    this.#take(request, bytes, end + HEAD_END.length);
    this.#keeper.handle(request, response);
  }

  /** Of the body as much as there is of it, from `start` on. */
  #take(request: PlainRequest, bytes: Buffer, start: number): void {
    const end = Math.min(bytes.length, start + this.#left);
    if (this.#left > 0 || start > 0) {
      this.#left -= end - start;
      if (end > start) request.give(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
      if (this.#left === 0) request.end();
    }
    if (end < bytes.length) this.#keepAhead(bytes.subarray(end));
    if (this.#left === 0 && this.#response === undefined) this.#next();
  }

  #keepAhead(bytes: Buffer): void {
    this.#ahead = this.#ahead === undefined ? bytes : Buffer.concat([this.#ahead, bytes]);
    if (this.#ahead.length > MAX_AHEAD_BYTES) this.#socket.pause();
  }

  #onEnded(response: PlainResponse): void {
    // What the kernel takes at once is the rule. Whoever ended it may have more to do first.
    if (this.#socket.writableLength === 0) process.nextTick(() => this.#finish(response));
    else this.#socket.write(NOTHING, () => this.#finish(response));
  }

  #finish(response: PlainResponse): void {
    if (this.#response !== response) return;
    this.#response = undefined;
    this.#request?.leave();
    response.close({ isFinished: true });
    if (!response.keepAlive) this.#socket.end();
    else if (this.#left === 0) this.#next();
  }

  /** The request is answered and its body is over. */
  #next(): void {
    this.#request = undefined;
    this.since = this.#keeper.now();
    const ahead = this.#ahead;
    if (ahead === undefined) return;
    this.#ahead = undefined;
    this.#socket.resume();
    this.#begin(ahead);
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("drain", this.#onDrain);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    socket.off("error", ignore);
    socket.pause();
    socket.unshift(bytes);
    this.#keeper.handOver(this, socket);
    socket.resume();
  }

  readonly #onDrain = (): void => {
    this.#response?.emit("drain");
  };

  /** The client says nothing more. Who leaves in the middle gets nothing more either, as with Node's own server. */
  readonly #onEnd = (): void => {
    if (this.#response?.isEnded === false) this.#socket.destroy();
    else this.#socket.end();
  };

  readonly #onClose = (): void => {
    this.#keeper.onGone(this);
    const response = this.#response;
    this.#response = undefined;
    this.#ahead = undefined;
    response?.close({ isFinished: false });
  };
}

function ignore(): void {}
