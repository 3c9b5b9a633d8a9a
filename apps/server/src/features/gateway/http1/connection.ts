import type { Socket } from "node:net";
import type { Listed } from "../../../kit/live-list.ts";
import type { UpstreamControl, UpstreamHandler, UpstreamHeaders, UpstreamRequest } from "../transport.ts";
import { RequestBody } from "./request-body.ts";
import { framingOf, requestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";

/** Who keeps the connections. */
export type ConnectionKeeper = {
  /** It can take another request. `idleMs`: how long the other side will keep it, where it says so. */
  onFree(connection: Connection, idleMs: number | undefined): void;
  /** It is no more. */
  onGone(connection: Connection): void;
};

/** A body up to this size goes out in one piece with the head: copying it is cheaper than a second buffer. */
const ONE_PIECE = 16 * 1024;

/**
 * What all connections read into, one after the other: Node would allocate 64 KB for each read and give most of it back.
 * What was read is copied out before anything else happens.
 */
export const READ_MEMORY = Buffer.allocUnsafeSlow(64 * 1024);

/** One connection to an upstream, with one request on it at a time. */
export class Connection implements ResponseSink, Listed {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #keeper: ConnectionKeeper;
  readonly #parser = new ResponseParser(this);
  #running: RunningRequest | undefined;
  #body: RequestBody | undefined;
  #head: ResponseHead | undefined;
  #trailers: UpstreamHeaders | undefined;
  /** In the time of whoever keeps it. */
  idleUntil = 0;
  place = -1;

  /** `socket` is connected. */
  constructor(socket: Socket, host: string, keeper: ConnectionKeeper) {
    this.#socket = socket;
    this.#host = host;
    this.#keeper = keeper;
    socket.on("error", (error) => this.#break(error));
    socket.on("end", () => this.#onSilence());
    socket.on("close", () => {
      this.#break(closed());
      keeper.onGone(this);
    });
  }

  get isOpen(): boolean {
    return this.#socket.writable && this.#socket.readable;
  }

  /** The connection is free. Never throws: what is wrong with the request is told to the handler. */
  send(request: UpstreamRequest, handler: UpstreamHandler): void {
    const running = new RunningRequest(this, handler);
    this.#running = running;
    handler.onRequestStart(running);
    if (this.#running !== running) return;
    try {
      this.#write(request, running);
    } catch (error) {
      this.#running = undefined;
      this.#keeper.onFree(this, undefined);
      handler.onResponseError(running, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** `length` bytes have been read into `READ_MEMORY`. */
  onRead(length: number): void {
    const bytes = Buffer.allocUnsafe(length);
    READ_MEMORY.copy(bytes, 0, 0, length);
    try {
      this.#parser.push(bytes);
    } catch (error) {
      // Bytes behind the response: it is whole nevertheless, and the connection is good for nothing more.
      if (this.#trailers !== undefined) this.#finish({ reusable: false });
      else this.#break(error instanceof Error ? error : new Error(String(error)));
      this.#socket.destroy();
      return;
    }
    if (this.#trailers !== undefined) this.#finish({ reusable: true });
  }

  onHead(head: ResponseHead): void {
    if (head.status >= 200) this.#head = head;
    this.#running?.handler.onResponseStart(this.#running, head.status, head.headers);
  }

  onBody(chunk: Buffer): void {
    this.#running?.handler.onResponseData(this.#running, chunk);
  }

  onEnd(trailers: UpstreamHeaders): void {
    // Nothing can be sent on it before it is certain that nothing comes behind.
    this.#trailers = trailers;
  }

  pause(running: RunningRequest): void {
    if (this.#running === running) this.#socket.pause();
  }

  resume(running: RunningRequest): void {
    if (this.#running === running) this.#socket.resume();
  }

  abort(running: RunningRequest, reason: Error): void {
    if (this.#running !== running) return;
    this.#break(reason);
    this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #write(request: UpstreamRequest, running: RunningRequest): void {
    const framing = framingOf(request);
    const head = requestHead(this.#host, request, framing);
    const { body, method } = request;
    this.#parser.begin({ toHead: method === "HEAD" });
    const socket = this.#socket;
    if (body === null) socket.write(head, "latin1");
    else if (!Buffer.isBuffer(body)) {
      socket.write(head, "latin1");
      const failed = (error: Error): void => this.abort(running, error);
      this.#body = new RequestBody(body, { socket, framing, failed });
    } else if (head.length + body.length <= ONE_PIECE) {
      const bytes = Buffer.allocUnsafe(head.length + body.length);
      bytes.write(head, "latin1");
      body.copy(bytes, head.length);
      socket.write(bytes);
    } else {
      socket.cork();
      socket.write(Buffer.from(head, "latin1"));
      socket.write(body);
      socket.uncork();
    }
  }

  /** The other side has ended its half. */
  #onSilence(): void {
    if (this.#running !== undefined && this.#parser.finish() && this.#trailers !== undefined)
      this.#finish({ reusable: false });
    this.#break(closed());
    this.#socket.destroy();
  }

  #finish({ reusable }: { readonly reusable: boolean }): void {
    const running = this.#running;
    const trailers = this.#trailers ?? {};
    const head = this.#head;
    const isSent = this.#body?.isOver !== false && this.#socket.writableLength === 0;
    this.#reset();
    if (reusable && head?.keepAlive === true && isSent && this.isOpen) {
      // Whatever it was last: the next one reads at once.
      if (this.#socket.isPaused()) this.#socket.resume();
      this.#keeper.onFree(this, head.idleMs);
    } else this.#socket.destroy();
    running?.handler.onResponseEnd(running, trailers);
  }

  #break(error: Error): void {
    const running = this.#running;
    this.#parser.stop();
    this.#reset();
    running?.handler.onResponseError(running, error);
  }

  #reset(): void {
    this.#body?.stop();
    this.#body = undefined;
    this.#running = undefined;
    this.#head = undefined;
    this.#trailers = undefined;
  }
}

/** One request's hold on its connection: worth nothing any more when the request is over. */
class RunningRequest implements UpstreamControl {
  readonly #connection: Connection;
  readonly handler: UpstreamHandler;

  constructor(connection: Connection, handler: UpstreamHandler) {
    this.#connection = connection;
    this.handler = handler;
  }

  pause(): void {
    this.#connection.pause(this);
  }

  resume(): void {
    this.#connection.resume(this);
  }

  abort(reason: Error): void {
    this.#connection.abort(this, reason);
  }
}

function closed(): Error {
  return Object.assign(new Error("The connection was closed."), { code: "ECONNRESET" });
}
