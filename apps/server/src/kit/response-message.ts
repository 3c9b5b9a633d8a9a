import { http } from "@loom/api/http";
import type { RequestMessage } from "./request-message.ts";

/** A response that can be written to at once. */
export class ResponseMessage extends http.ServerResponse<RequestMessage> {
  /** See `RawOutgoing`: Node would put the pieces together at the next tick. */
  writeNow(...pieces: readonly (Buffer | string)[]): boolean {
    let isTaken = true;
    this.cork();
    for (const piece of pieces) isTaken = this.write(piece);
    this.uncork();
    return isTaken;
  }
}
