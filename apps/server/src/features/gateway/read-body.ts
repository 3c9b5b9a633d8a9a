import { ProblemError } from "../../kit/problem-reply.ts";
import type { BodyTaker, RawIncoming } from "../../kit/raw-exchange.ts";

/** A 200,000 token prompt is about 1 MB; this leaves room for images. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** What is thrown away of a body that is too large, so that its client gets to read why. */
const MAX_DISCARDED_BYTES = 256 * 1024 * 1024;

/**
 * Reads a whole body and calls back once; not at all where the connection closes before its end, which the response
 * says as well.
 */
export function readBody(
  incoming: RawIncoming,
  done: (body: Buffer) => void,
  refuse: (problem: ProblemError) => void,
): void {
  const encoding = incoming.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    refuse(new ProblemError("unsupported_media_type", "The body has to come without Content-Encoding."));
    return;
  }
  const length = incoming.headers["content-length"];
  const refused = length !== undefined && Number(length) > MAX_BODY_BYTES;
  if (refused) refuse(tooLarge());
  const body = new BodyCollector(incoming, refused ? ignore : done, refused ? ignore : refuse);
  incoming.takeBody(body);
}

class BodyCollector implements BodyTaker {
  readonly #incoming: RawIncoming;
  readonly #done: (body: Buffer) => void;
  readonly #refuse: (problem: ProblemError) => void;
  readonly #pieces: Buffer[] = [];
  #size = 0;

  constructor(incoming: RawIncoming, done: (body: Buffer) => void, refuse: (problem: ProblemError) => void) {
    this.#incoming = incoming;
    this.#done = done;
    this.#refuse = refuse;
  }

  onPiece(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size <= MAX_BODY_BYTES) {
      this.#pieces.push(piece);
      return;
    }
    this.#pieces.length = 0;
    if (this.#size > MAX_DISCARDED_BYTES) this.#incoming.destroy();
  }

  onEnd(): void {
    const [first] = this.#pieces;
    if (this.#size > MAX_BODY_BYTES) this.#refuse(tooLarge());
    else this.#done(first !== undefined && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#size));
  }
}

function tooLarge(): ProblemError {
  return new ProblemError("payload_too_large", `The body is larger than ${MAX_BODY_BYTES} bytes.`);
}

function ignore(): void {}
