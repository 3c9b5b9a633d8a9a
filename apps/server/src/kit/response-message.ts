import type { OutgoingHttpHeaders } from "node:http";
import { http } from "@loom/api/http";
import { NO_HEADERS } from "./raw-exchange.ts";
import type { RequestMessage } from "./request-message.ts";

/** A response that can be written to at once. */
export class ResponseMessage extends http.ServerResponse<RequestMessage> {
  /** See `RawOutgoing`. */
  inEveryHead: readonly string[] = NO_HEADERS;

  /** See `RawOutgoing`: Node would put the pieces together at the next tick. */
  writeNow(...pieces: readonly (Buffer | string)[]): boolean {
    let isTaken = true;
    this.cork();
    for (const piece of pieces) isTaken = this.write(piece);
    this.uncork();
    return isTaken;
  }

  override writeHead(status: number, phrase?: string, headers?: Headers): this;
  override writeHead(status: number, headers?: Headers): this;
  override writeHead(status: number, phraseOrHeaders?: string | Headers, headers?: Headers): this {
    if (typeof phraseOrHeaders === "string") return super.writeHead(status, phraseOrHeaders, this.#complete(headers));
    return super.writeHead(status, this.#complete(phraseOrHeaders));
  }

  #complete(headers: Headers | undefined): Headers | undefined {
    if (this.inEveryHead === NO_HEADERS) return headers;
    return [...(Array.isArray(headers) ? headers : flat(headers ?? {})), ...this.inEveryHead];
  }
}

type Headers = OutgoingHttpHeaders | string[];

/** Name after value. */
function flat(headers: OutgoingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((each) => (each === undefined ? [] : [name, String(each)])),
  );
}
