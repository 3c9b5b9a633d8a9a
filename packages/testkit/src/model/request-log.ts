import type { IncomingHttpHeaders } from "node:http";
import type { JsonValue } from "@loom/core";
import type { NormalizedRequest } from "./normalized-request.ts";

/** A request as it came over the wire. It is recorded when its body is complete, or when the client left before that. */
export type RecordedRequest = {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; `undefined` where there was none. */
  readonly body: JsonValue | undefined;
  /** Length of the body on the wire. */
  readonly bodyBytes: number;
  /** When its head arrived, in milliseconds since the epoch. */
  readonly at: number;
  /** For a model request that was understood. */
  readonly conversation: NormalizedRequest | undefined;
  /** The connection closed before the whole answer was out: the client left, or the model itself was closed. */
  readonly aborted: boolean;
  /** Resolves in that moment; never, where the answer goes out whole. */
  readonly whenAborted: Promise<void>;
};

type Waiter = { readonly count: number; resolve(): void; reject(error: Error): void };

/** What has come in so far, and who waits for more. */
export class RequestLog {
  readonly requests: RecordedRequest[] = [];
  readonly #waiters = new Set<Waiter>();

  record(request: RecordedRequest): void {
    this.requests.push(request);
    for (const waiter of this.#waiters) {
      if (this.requests.length < waiter.count) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  forget(): void {
    this.requests.length = 0;
  }

  /** Resolves once there are `count` requests in all, with those. */
  async waitFor(count: number): Promise<readonly RecordedRequest[]> {
    if (this.requests.length < count) {
      await new Promise<void>((resolve, reject) => this.#waiters.add({ count, resolve, reject }));
    }
    return this.requests.slice(0, count);
  }

  /** Fails whoever still waits. */
  close(): void {
    for (const waiter of this.#waiters) {
      waiter.reject(
        new Error(`The scripted model was closed with ${this.requests.length} of ${waiter.count} awaited requests.`),
      );
    }
    this.#waiters.clear();
  }
}
