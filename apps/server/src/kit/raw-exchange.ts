import type { OutgoingHttpHeaders } from "node:http";
import type { RequestHead } from "./request-head.ts";

/** Who takes a request's body: each piece once, and its end, which does not come where the connection breaks off. */
export type BodyTaker = {
  onPiece(piece: Buffer): void;
  onEnd(): void;
};

/** A request as the routes see it that answer on it directly. */
export type RawIncoming = RequestHead & {
  /** Once, and by nobody who also reads the stream, where there is one. Takes whatever size comes: nothing is held back. */
  takeBody(taker: BodyTaker): void;
  /** Cuts the connection. */
  destroy(): unknown;
};

export const NO_HEADERS: readonly string[] = [];

/** The answer to it, of which Node's own responses have more. */
export type RawOutgoing = {
  readonly req: Pick<RequestHead, "httpVersion" | "method">;
  readonly statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** Whether all of it is in the kernel's hands. */
  readonly writableFinished: boolean;
  /** Whether it will say `drain`. */
  readonly writableNeedDrain: boolean;
  /** Whether the body is framed on its way, which `false` leaves to whoever writes it. */
  chunkedEncoding: boolean;
  setHeader(name: string, value: string): unknown;
  /** Flat, name after value: goes out beside whatever the head is written with. Set before that, if at all. */
  inEveryHead: readonly string[];
  /** As an array: flat, name after value. */
  writeHead(status: number, headers: OutgoingHttpHeaders | string[]): unknown;
  flushHeaders(): void;
  /** Together, and now: not at the next tick. `false`: the client takes no more, until `drain`. */
  writeNow(...pieces: readonly (Buffer | string)[]): boolean;
  end(last?: Buffer | string, encoding?: BufferEncoding): unknown;
  destroy(): unknown;
  /** `close`: it is over, whole or not. */
  on(event: "close" | "drain" | "error", listener: () => void): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
};
