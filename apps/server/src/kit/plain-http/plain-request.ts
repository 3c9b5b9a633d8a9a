import type { Socket } from "node:net";
import type { BodyTaker, RawIncoming } from "../raw-exchange.ts";
import type { PlainHead } from "./plain-head.ts";

/** Of a body that nobody takes yet: more is left in the socket. */
const MAX_WAITING_BYTES = 64 * 1024;

/** A request that was read without Node's parser, and its body on the way to whoever takes it. */
export class PlainRequest implements RawIncoming {
  readonly method = "POST";
  readonly httpVersion = "1.1";
  readonly url: string;
  readonly rawHeaders: string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: Socket;
  #taker: BodyTaker | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWhole = false;

  constructor(socket: Socket, { url, rawHeaders, headers }: PlainHead) {
    this.socket = socket;
    this.url = url;
    this.rawHeaders = rawHeaders;
    this.headers = headers;
  }

  get headersDistinct(): Record<string, string[]> {
    return Object.fromEntries(Object.entries(this.headers).map(([name, value]) => [name, [value]]));
  }

  takeBody(taker: BodyTaker): void {
    this.#taker = taker;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const piece of waiting) taker.onPiece(piece);
    if (this.#isWhole) taker.onEnd();
    else if (this.#waitingBytes > MAX_WAITING_BYTES) this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** From the connection: some more of the body. */
  give(piece: Buffer): void {
    if (this.#taker !== undefined) {
      this.#taker.onPiece(piece);
      return;
    }
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.socket.pause();
  }

  /** From the connection: that was all of it. */
  end(): void {
    this.#isWhole = true;
    this.#taker?.onEnd();
  }

  /** From the connection: it was answered, and what is still to come of its body is for nobody. */
  leave(): void {
    this.#waiting = [];
    if (this.#taker === undefined && this.#waitingBytes > MAX_WAITING_BYTES) this.socket.resume();
    this.#taker = NOBODY;
  }
}

const NOBODY: BodyTaker = { onPiece() {}, onEnd() {} };
