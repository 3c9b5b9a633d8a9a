import { randomUUIDv7 } from "node:crypto";
import type { Audit, RequestOrigin } from "./audit.ts";
import { clientAddress, type TrustedProxies } from "./client-address.ts";
import type { Listed } from "./live-list.ts";
import type { Log } from "./log.ts";
import type { Authorize } from "./policy.ts";
import type { RawIncoming, RawOutgoing } from "./raw-exchange.ts";
import type { RequestHead } from "./request-head.ts";
import type { RequestMessage } from "./request-message.ts";
import type { ResponseMessage } from "./response-message.ts";

import { ANONYMOUS, type Subject } from "./subject.ts";

/** One request on its way through the server: as Node has it, or what every raw route gets along with. */
export type Call<Incoming = RequestMessage, Outgoing = ResponseMessage> = {
  /** `req-` and a UUIDv7: in the log, in the `x-request-id` header and in problem documents. */
  readonly id: string;
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  /** Fires when the client is gone, and when the server has to end what still runs. */
  readonly signal: AbortSignal;
  /** Like the signal, for the routes where every microsecond counts. One listener; the last one set is called. */
  onStop(listener: () => void): void;
  readonly log: Log;
  readonly audit: Audit;
  /** Whether somebody may do something still, for answers that last. */
  readonly authorize: Authorize;
  /**
   * Who asked, as he is known by now; absent where his token or session is over. Whoever came as nobody stays that. For
   * answers that last: it does not count as use of a session.
   */
  subjectNow(): Promise<Subject | undefined>;
  /** Who is at the other end, proxies that are trusted left out. */
  readonly origin: RequestOrigin;
};

export type RawCall = Call<RawIncoming, RawOutgoing>;

/** What all calls of a server share. */
export type Surroundings = {
  readonly log: Log;
  readonly audit: Audit;
  readonly authorize: Authorize;
  readonly subjectNow: (incoming: RequestHead) => Promise<Subject | undefined>;
  readonly isTrustedProxy: TrustedProxies;
};

const MAX_USER_AGENT = 200;

/** A call that is being answered. Makes its signal when somebody asks for it. */
export class OpenCall<Incoming extends RawIncoming = RawIncoming, Outgoing extends RawOutgoing = RawOutgoing>
  implements Call<Incoming, Outgoing>, Listed
{
  readonly id = `req-${randomUUIDv7()}`;
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  readonly #surroundings: Surroundings;
  /** In seconds of the process; `performance.now()` would load a module for the same. */
  readonly startedAt = process.uptime();
  /** For the log and the metrics; one of a bounded set. */
  route = "none";
  /** Whether it came with nothing that says who asks, or nothing that means anything. */
  isFromNobody = false;
  place = -1;
  #controller: AbortController | undefined;
  #listener: (() => void) | undefined;
  #stopped = false;

  constructor(incoming: Incoming, outgoing: Outgoing, surroundings: Surroundings) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.#surroundings = surroundings;
  }

  get log(): Log {
    return this.#surroundings.log;
  }

  get audit(): Audit {
    return this.#surroundings.audit;
  }

  get authorize(): Authorize {
    return this.#surroundings.authorize;
  }

  async subjectNow(): Promise<Subject | undefined> {
    return this.isFromNobody ? ANONYMOUS : this.#surroundings.subjectNow(this.incoming);
  }

  get origin(): RequestOrigin {
    const address = clientAddress(this.incoming, this.#surroundings.isTrustedProxy);
    const userAgent = this.incoming.headers["user-agent"]?.slice(0, MAX_USER_AGENT);
    return { requestId: this.id, address, ...(userAgent === undefined ? {} : { userAgent }) };
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#stopped) this.#controller.abort();
    return this.#controller.signal;
  }

  onStop(listener: () => void): void {
    if (this.#stopped) listener();
    else this.#listener = listener;
  }

  /** Later calls do nothing. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#controller?.abort();
    this.#listener?.();
  }
}
