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
  #isPaused = false;
  #isWhole = false;
  #isLeft = false;

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
    // Whoever has all of it is not kept any longer.
    this.#taker = this.#isWhole ? NOBODY : taker;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const piece of waiting) taker.onPiece(piece);
    this.#goOn();
    if (this.#isWhole) taker.onEnd();
  }

  destroy(): void {
    // The connection may serve another one by now.
    if (!this.#isLeft) this.socket.destroy();
  }

  /** From the connection: some more of the body. */
  give(piece: Buffer): void {
    if (this.#taker !== undefined) {
      this.#taker.onPiece(piece);
      return;
    }
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes <= MAX_WAITING_BYTES || this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  /** From the connection: that was all of it. */
  end(): void {
    this.#isWhole = true;
    const taker = this.#taker;
    if (taker === undefined) return;
    this.#taker = NOBODY;
    taker.onEnd();
  }

  /** From the connection: it was answered, and what is still to come of its body is for nobody. */
  leave(): void {
    this.#isLeft = true;
    this.#waiting = [];
    this.#taker = NOBODY;
    this.#goOn();
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }
}

const NOBODY: BodyTaker = { onPiece() {}, onEnd() {} };
