import type { IncomingMessage } from "node:http";
import { ProblemError } from "../../kit/problem-reply.ts";

/** A 200,000 token prompt is about 1 MB; this leaves room for images. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** What is thrown away of a body that is too large, so that its client gets to read why. */
const MAX_DISCARDED_BYTES = 256 * 1024 * 1024;

/**
 * Reads a whole body and calls back once; not at all where the connection closes before its end, which the response
 * says as well.
 */
export function readBody(
  incoming: IncomingMessage,
  done: (body: Buffer) => void,
  refuse: (problem: ProblemError) => void,
): void {
  const encoding = incoming.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    refuse(new ProblemError("unsupported_media_type", "The body has to come without Content-Encoding."));
    return;
  }
  const refused = Number(incoming.headers["content-length"] ?? 0) > MAX_BODY_BYTES;
  if (refused) refuse(tooLarge());
  const chunks: Buffer[] = [];
  let size = 0;
  incoming.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) {
      chunks.push(chunk);
      return;
    }
    chunks.length = 0;
    if (size > MAX_DISCARDED_BYTES) incoming.destroy();
  });
  incoming.once("end", () => {
    const [first] = chunks;
    if (refused) return;
    if (size > MAX_BODY_BYTES) refuse(tooLarge());
    else done(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, size));
  });
  incoming.on("error", ignore);
}

function tooLarge(): ProblemError {
  return new ProblemError("payload_too_large", `The body is larger than ${MAX_BODY_BYTES} bytes.`);
}

function ignore(): void {}
