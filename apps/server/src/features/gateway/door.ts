import type { RawCall } from "../../kit/call.ts";
import { Account, type Outcome } from "./account.ts";
import type { Asker } from "./candidates.ts";
import type { ClientHeaders } from "./client-headers.ts";
import { SHUTTING_DOWN } from "./failures.ts";
import type { GatewayParts } from "./parts.ts";
import { noPictures } from "./pictures/picture-data.ts";
import { sendDialectProblem } from "./reply.ts";
import type { Target } from "./target.ts";
import { problemFor } from "./wire-errors.ts";

/**
 * Where a request is whose client is known and whose question is not: its body is on its way. Should it come no further,
 * because the client leaves or asks nothing that can be understood, it has a row nevertheless.
 */
export class Door {
  readonly #parts: GatewayParts;
  readonly #call: RawCall;
  readonly #target: Target;
  readonly #headers: ClientHeaders;
  readonly #asker: Asker;
  readonly #since = { at: Date.now(), uptime: process.uptime() };
  isClosed = false;

  constructor(parts: GatewayParts, call: RawCall, target: Target, headers: ClientHeaders, asker: Asker) {
    this.#parts = parts;
    this.#call = call;
    this.#target = target;
    this.#headers = headers;
    this.#asker = asker;
    call.onStop(() => this.#stop());
  }

  /** Once; later calls do nothing. */
  close(outcome: Outcome, status: number, errorCode: string | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { subject, nodes } = this.#asker;
    const { session, client } = this.#headers;
    const { dialect, model: requestedModel = "" } = this.#target;
    const requestId = this.#call.id;
    const holder = { requestId, subject, nodes, session, client, dialect, requestedModel };
    const nothing = { promptBytes: 0, pictures: noPictures, maxOutputTokens: undefined, answers: 1 };
    const account = new Account({ ...holder, ...nothing }, this.#parts, this.#since);
    account.close({ outcome, status, errorCode, attempts: 0 });
  }

  /** It was answered here, and nothing was used. */
  leave(): void {
    this.isClosed = true;
  }

  /** The client is gone, or the server has to end. */
  #stop(): void {
    const { outgoing, id } = this.#call;
    if (outgoing.destroyed) {
      this.close("cancelled", 499, undefined);
      return;
    }
    const problem = problemFor(SHUTTING_DOWN);
    if (!this.isClosed) sendDialectProblem(outgoing, this.#target.dialect, problem, id);
    this.close("cut_off", problem.problem.status, SHUTTING_DOWN.code);
  }
}
