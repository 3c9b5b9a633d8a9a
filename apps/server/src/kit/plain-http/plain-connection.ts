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
/** What a client may send ahead of its turn: to wait with more of it would be not to notice that he leaves. */
const MAX_AHEAD_BYTES = 256 * 1024;
const NOTHING = Buffer.alloc(0);
/** So long after it was made, a connection on which nothing has come is not about to bring anything. */
const FRESH_S = 1;

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
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  /** No request is taken any more: what comes is thrown away, and the connection goes. */
  #isClosing = false;
  #isFresh = true;
  /** Since when it has been waiting for what it is waiting for, in seconds of the process. */
  #since: number;
  place = -1;

  constructor(socket: Socket, keeper: PlainKeeper) {
    this.#socket = socket;
    this.#keeper = keeper;
    this.#since = keeper.now();
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    // The socket closes, which says so too.
    socket.on("error", ignore);
  }

  /** Nobody waits for anything on it. `now`, in seconds of the process: who has just come may be about to ask. */
  isIdle(now: number): boolean {
    if (this.#isClosing) return this.#response === undefined && this.#left <= 0;
    return this.#request === undefined && !(this.#isFresh && now - this.#since < FRESH_S);
  }

  /** What it has been waiting for from its client, and for how many milliseconds. `undefined`: for nothing that has a limit. */
  waitsFor(now: number): { readonly what: "request" | "next" | "body" | "rest" | undefined; readonly ms: number } {
    const ms = 1000 * (now - this.#since);
    if (this.#isClosing) return { what: this.#socket.writableLength > 0 ? undefined : "rest", ms };
    if (this.#request === undefined) return { what: this.#isFresh ? "request" : "next", ms };
    if (this.#left === 0) return { what: undefined, ms };
    return { what: this.#response === undefined ? "rest" : "body", ms };
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** It took too long. `refuse` says so on the socket and ends it, if nothing was said yet. */
  giveUp(refuse: (socket: Socket) => void): void {
    const response = this.#response;
    const isAnswered = response === undefined ? this.#request !== undefined : response.headersSent;
    this.#close();
    if (isAnswered) {
      this.#socket.destroy();
      return;
    }
    this.#response = undefined;
    this.#request?.leave();
    response?.close({ isFinished: false });
    refuse(this.#socket);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#isClosing) this.#throwAway(bytes);
    else if (this.#request === undefined) this.#begin(bytes);
    else this.#take(this.#request, bytes, 0);
  };

  #begin(bytes: Buffer): void {
    const end = bytes.indexOf(HEAD_END);
    const head = end === -1 || end > MAX_HEAD_BYTES ? undefined : readPlainHead(bytes.toString("latin1", 0, end));
    if (head === undefined || !this.#keeper.accepts(head.url)) {
      this.#handOver(bytes);
      return;
    }
    this.#isFresh = false;
    this.#since = this.#keeper.now();
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
    this.#ahead.push(bytes);
    this.#aheadBytes += bytes.length;
    if (this.#aheadBytes > MAX_AHEAD_BYTES) this.#socket.destroy();
  }

  #onEnded(response: PlainResponse): void {
    // What the kernel takes at once is the rule. Whoever ended it may have more to do first.
    if (this.#socket.writableLength === 0) process.nextTick(() => this.#finish(response));
    else
      this.#socket.write(NOTHING, (error) => {
        if (error === undefined || error === null) this.#finish(response);
      });
  }

  #finish(response: PlainResponse): void {
    // Where the socket is gone, its "close" says how it ended.
    if (this.#response !== response || this.#socket.destroyed) return;
    this.#response = undefined;
    this.#request?.leave();
    response.close({ isFinished: true });
    if (this.#isClosing || !response.keepAlive) {
      this.#close();
      // Whoever still sends would be reset, and might not read his answer.
      if (this.#left === 0) this.#socket.destroySoon();
      else this.#socket.end();
    } else if (this.#left === 0) this.#next();
    else this.#since = this.#keeper.now();
  }

  #close(): void {
    this.#isClosing = true;
    this.#takeAhead();
    this.#since = this.#keeper.now();
  }

  #throwAway(bytes: Buffer): void {
    this.#left -= bytes.length;
    if (this.#left <= 0 && this.#response === undefined) this.#socket.destroySoon();
  }

  /** The request is answered and its body is over. */
  #next(): void {
    this.#request = undefined;
    this.#since = this.#keeper.now();
    if (this.#aheadBytes === 0 || this.#socket.destroyed) return;
    this.#begin(this.#takeAhead());
  }

  #takeAhead(): Buffer {
    const [first] = this.#ahead;
    const ahead = first !== undefined && this.#ahead.length === 1 ? first : Buffer.concat(this.#ahead);
    this.#ahead = [];
    this.#aheadBytes = 0;
    return ahead;
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
    else {
      this.#close();
      this.#socket.end();
    }
  };

  readonly #onClose = (): void => {
    this.#keeper.onGone(this);
    const response = this.#response;
    this.#response = undefined;
    this.#takeAhead();
    response?.close({ isFinished: false });
  };
}

function ignore(): void {}
