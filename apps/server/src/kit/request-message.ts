import { http } from "@loom/api/http";
import type { BodyTaker } from "./raw-exchange.ts";

/**
 * A request whose body goes from the parser to whoever takes it. As a stream it would go through a buffer, some ten
 * events and five turns of the task queue, which costs more than all that the server does with a small body.
 */
export class RequestMessage extends http.IncomingMessage {
  #taker: BodyTaker | undefined;
  /** Some of the body, or its end, is in the stream already. */
  #streams = false;

  /** See `RawIncoming`. */
  takeBody(taker: BodyTaker): void {
    // The response says so, too.
    this.on("error", ignore);
    if (this.#streams) {
      this.on("data", (piece: Buffer) => taker.onPiece(piece)).once("end", () => taker.onEnd());
      return;
    }
    this.#taker = taker;
    // Says that somebody reads: otherwise Node would see to it at the end that the body is read and thrown away.
    this._read(0);
  }

  /** What Node's parser hands a body to; `null`: its end. */
  override push(piece: unknown, encoding?: BufferEncoding): boolean {
    const taker = this.#taker;
    if (taker === undefined) {
      this.#streams = true;
      return super.push(piece, encoding);
    }
    if (piece !== null) taker.onPiece(piece as Buffer);
    else {
      // The connection refers to its last request until the next one comes.
      this.#taker = NOBODY;
      taker.onEnd();
    }
    return true;
  }
}

const NOBODY: BodyTaker = { onPiece() {}, onEnd() {} };

function ignore(): void {}
