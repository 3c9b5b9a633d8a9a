import type { ServerResponse } from "node:http";
import type { LlmFailure } from "@loom/core";
import type { BudgetNode, CredentialLease, RouteStep } from "../../gateway-types.ts";
import type { Call } from "../../kit/call.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Account, type Outcome } from "./account.ts";
import { Attempt, type AttemptListener, LINGER_MS, type Refusal } from "./attempt.ts";
import { Attempts } from "./attempts.ts";
import type { ClientHeaders } from "./client-headers.ts";
import { codecFor } from "./codecs.ts";
import { contentEncoding, createContentDecoder } from "./content-decoding.ts";
import { DecodedDelivery } from "./decoded-delivery.ts";
import type { Answered, Delivery, DeliveryHost } from "./delivery.ts";
import { readRefusal } from "./failure-of-refusal.ts";
import { CUT_OFF, noDefaultModel, noHeaders, notSetUp, SHUTTING_DOWN, UNREADABLE } from "./failures.ts";
import type { GatewayParts } from "./parts.ts";
import { type Asked, openPassage, type Passage } from "./passage.ts";
import type { Question } from "./question.ts";
import { sendDialectProblem } from "./reply.ts";
import { sendRefusal } from "./send-refusal.ts";
import type { Target } from "./target.ts";
import type { UpstreamHeaders } from "./transport.ts";
import type { Upstream } from "./upstream.ts";
import type { RequestHeaders } from "./upstream-request.ts";
import { problemFor } from "./wire-errors.ts";
import { worstCase } from "./worst-case.ts";

export type Asker = {
  /** As the ledger names them. */
  readonly subject: string;
  readonly nodes: readonly BudgetNode[];
};

/**
 * One client's request from the moment its body is there: admitted, tried at one upstream after the other, delivered,
 * and settled once, however it ends. Callbacks all the way: a promise for each step would cost more than the step.
 */
export class Exchange implements AttemptListener, DeliveryHost {
  readonly outgoing: ServerResponse;
  readonly keepAliveMs: number;
  readonly #parts: GatewayParts;
  readonly #call: Call;
  readonly #asked: Asked;
  readonly #asker: Asker;
  readonly #account: Account;
  #attempts: Attempts | undefined;
  #step: RouteStep | undefined;
  #lease: CredentialLease | undefined;
  #upstream: Upstream | undefined;
  #credential: RequestHeaders = {};
  #passage: Passage | undefined;
  #attempt: Attempt | undefined;
  #delivery: Delivery | undefined;
  #refusal: { readonly refusal: Refusal; readonly native: boolean } | undefined;
  #limits: Readonly<Record<string, string>> = {};
  #reservedModel: string | undefined;
  #over = false;

  constructor(
    parts: GatewayParts,
    call: Call,
    target: Target,
    headers: ClientHeaders,
    question: Question | undefined,
    asker: Asker,
  ) {
    this.#parts = parts;
    this.#call = call;
    this.outgoing = call.outgoing;
    this.keepAliveMs = parts.keepAliveMs;
    this.#asked = { call, target, headers, question };
    this.#asker = asker;
    this.#account = new Account(
      {
        requestId: call.id,
        subject: asker.subject,
        nodes: asker.nodes,
        session: headers.session,
        client: headers.client,
        dialect: target.dialect,
        requestedModel: question?.model ?? "",
        promptBytes: question?.promptBytes ?? 0,
      },
      parts,
    );
  }

  start(): void {
    const { ledger, metrics, open } = this.#parts;
    metrics.opened();
    open.add(this);
    this.#call.onStop(() => this.#stop());
    if (ledger?.healthy() === false) {
      this.#refuse(
        new ProblemError("unavailable", "The server cannot write down what is used: check its disk and its database.", {
          retryable: true,
        }),
      );
      return;
    }
    const waiting = this.#parts.prices.ready();
    // Without limits, nobody needs the prices before the answer is there.
    if (waiting === undefined || this.#parts.budgets === undefined) this.#plan();
    else waiting.then(() => this.#plan()).catch((error: unknown) => this.#crash(error));
  }

  /** What is held for it is held for longer. */
  touch(): void {
    this.#account.touch();
  }

  // What the attempt says.

  onHead(status: number, headers: UpstreamHeaders): void {
    const passage = this.#passage;
    if (this.#over || passage === undefined) return;
    let delivery = passage.deliver(this);
    const encoding = passage.native ? undefined : contentEncoding(headers["content-encoding"]);
    if (encoding !== undefined) {
      const decoder = createContentDecoder(encoding);
      if (decoder === undefined) {
        this.failed(UNREADABLE);
        return;
      }
      delivery = new DecodedDelivery(delivery, decoder, this);
    }
    this.#delivery = delivery;
    delivery.onHead(status, headers);
    const waiting = this.#parts.prices.ready();
    if (waiting === undefined) return;
    this.#attempt?.pause();
    waiting.then(() => this.resume()).catch((error: unknown) => this.#crash(error));
  }

  onChunk(chunk: Buffer): void {
    this.#delivery?.onChunk(chunk);
  }

  onEnd(trailers: UpstreamHeaders): void {
    this.#delivery?.onEnd(trailers);
  }

  onRefused(refusal: Refusal): void {
    const [passage, upstream, step] = [this.#passage, this.#upstream, this.#step];
    if (this.#over || passage === undefined || upstream === undefined || step === undefined) return;
    if (passage.hidesUsage && refusal.status < 500 && refusal.body.includes("stream_options")) {
      this.#parts.withoutStreamUsage.add(upstream.name);
      this.#dispatch(step, upstream);
      return;
    }
    const { failure, quotaExhausted } = readRefusal(refusal, codecFor(upstream, passage.dialect), this.#parts.redact);
    this.#refusal = { refusal, native: passage.native };
    this.#tryElsewhere(failure, quotaExhausted);
  }

  onFailed(failure: LlmFailure): void {
    this.failed(failure);
  }

  // What the delivery asks for.

  headers(): { readonly [name: string]: string } {
    const { upstream = "", model = "", reason = "" } = this.#step ?? {};
    return {
      ...this.#limits,
      "x-request-id": this.#call.id,
      "x-loom-route": headerText(`${upstream}/${model}${reason === "" ? "" : `; ${reason}`}`),
    };
  }

  pause(): void {
    this.#attempt?.pause();
    this.outgoing.once("drain", () => this.resume());
  }

  resume(): void {
    this.#attempt?.resume();
  }

  firstByte(): void {
    this.#account.firstByte();
  }

  explained(failure: LlmFailure): LlmFailure {
    return { ...failure, message: this.#parts.redact(failure.message) };
  }

  leave(): void {
    this.#attempt?.leave(LINGER_MS);
  }

  failed(failure: LlmFailure): void {
    if (this.#over) return;
    this.#attempt?.abort();
    const delivery = this.#delivery;
    if (delivery?.sent !== true) {
      this.#refusal = undefined;
      if (delivery === undefined) this.#tryElsewhere(failure, false);
      else {
        this.#delivery = undefined;
        delivery.read(() => this.#tryElsewhere(failure, false));
      }
      return;
    }
    this.#report(failure, false);
    this.#over = true;
    delivery.broken(this.explained(failure));
    delivery.read((answered) => this.#close("cut_off", this.outgoing.statusCode, answered, failure.code));
  }

  refusedInBand(chunk: Buffer): boolean {
    const [passage, upstream] = [this.#passage, this.#upstream];
    if (passage === undefined || upstream === undefined || this.#over) return false;
    const [event] = codecFor(upstream, passage.dialect).streamDecoder().push(chunk);
    if (event?.type !== "error" || !this.#canFail(event.error)) return false;
    this.#attempt?.abort();
    this.#delivery = undefined;
    this.#next();
    return true;
  }

  finished(outcome: "completed" | "cut_off" | "failed", answered: Answered, failure?: LlmFailure): void {
    if (this.#over) return;
    this.#over = true;
    if (outcome === "completed") {
      this.#lease?.report({ type: "ok" });
      if (this.#step !== undefined) this.#parts.routing.report(this.#step, { ok: true });
    } else this.#report(failure ?? CUT_OFF, false);
    const code = outcome === "completed" ? undefined : (failure ?? CUT_OFF).code;
    this.#close(outcome, this.outgoing.statusCode, answered, code);
  }

  // How it goes on.

  #plan(): void {
    if (this.#over) return;
    const { target, question, headers } = this.#asked;
    const session = headers.session ?? question?.cacheKey;
    const affinity = session === undefined ? undefined : `${this.#asker.subject}:${session}`;
    const upstream = target.upstream === "default" ? undefined : target.upstream;
    const plan =
      question === undefined
        ? ({ ok: true, steps: [{ upstream: upstream ?? "", model: "", reason: "path" }] } as const)
        : this.#parts.routing.plan({
            model: question.model,
            ...(upstream === undefined ? {} : { upstream }),
            ...(affinity === undefined ? {} : { affinity }),
          });
    if (!plan.ok) {
      this.#giveUp(plan.failure);
      return;
    }
    this.#attempts = new Attempts(plan, this.#parts.credentials, affinity);
    this.#next();
  }

  #next(): void {
    const next = this.#attempts?.next();
    if (this.#over || next === undefined) return;
    if (next.type === "give_up") {
      this.#giveUp(next.failure);
      return;
    }
    this.#step = next.step;
    this.#lease = next.lease;
    if (next.delayMs === 0) this.#try(next.step, next.lease);
    else setTimeout(() => this.#try(next.step, next.lease), next.delayMs);
  }

  #try(step: RouteStep, lease: CredentialLease): void {
    if (this.#over) return;
    const upstream = this.#parts.upstreams.get(step.upstream);
    if (upstream === undefined) {
      this.#tryElsewhere(notSetUp(step.upstream), false);
      return;
    }
    this.#upstream = upstream;
    if (!this.#reserve(step)) return;
    try {
      const headers = lease.headers();
      if (headers instanceof Promise) {
        headers
          .then((ready) => this.#lend(step, upstream, ready))
          .catch((error: unknown) =>
            this.#tryElsewhere(noHeaders(step.upstream, this.#parts.redact(String(error))), false),
          );
      } else this.#lend(step, upstream, headers);
    } catch (error) {
      this.#crash(error);
    }
  }

  #lend(step: RouteStep, upstream: Upstream, credential: RequestHeaders): void {
    if (this.#over) return;
    this.#credential = credential;
    if (step.model !== "default" && step.model !== "fast") {
      this.#dispatch(step, upstream);
      return;
    }
    this.#parts
      .defaultModel(upstream, credential)
      .then((model) => {
        if (model === undefined) {
          this.#tryElsewhere(noDefaultModel(upstream), false);
          return;
        }
        this.#step = { ...step, model };
        this.#dispatch(this.#step, upstream);
      })
      .catch((error: unknown) => this.#crash(error));
  }

  #dispatch(step: RouteStep, upstream: Upstream): void {
    if (this.#over) return;
    try {
      const passage = openPassage(this.#asked, step, upstream, this.#credential, this.#parts);
      this.#passage = passage;
      const stream = this.#asked.question?.stream === true;
      this.#attempt = new Attempt(upstream, this.#parts.deadlines, stream, this);
      this.#attempt.start(this.#parts.transport, passage.request);
    } catch (error) {
      this.#crash(error);
    }
  }

  /** Holds the worst case; the model may cost more on another step. */
  #reserve(step: RouteStep): boolean {
    const { budgets } = this.#parts;
    if (budgets === undefined || this.#reservedModel === step.model) return true;
    const { headers } = this.#asked;
    const admission = budgets.reserve({
      nodes: this.#asker.nodes,
      model: step.model,
      worst: worstCase(this.#asked, step, this.#parts.prices),
      ...(headers.session === undefined ? {} : { session: headers.session }),
    });
    this.#limits = admission.headers;
    if (admission.ok) {
      this.#reservedModel = step.model;
      this.#account.hold(admission.reservation);
      return true;
    }
    this.#lease?.report({ type: "cancelled" });
    this.#lease = undefined;
    const { reason, message, retryAfterMs } = admission;
    const problem = new ProblemError(REFUSALS[reason], message, {
      retryable: reason === "rate",
      retryAfterMs,
      headers: admission.headers,
    });
    this.#refuse(problem);
    return false;
  }

  #tryElsewhere(failure: LlmFailure, quotaExhausted: boolean): void {
    if (this.#over) return;
    if (this.#canFail(failure, quotaExhausted)) this.#next();
    else this.#giveUp(failure);
  }

  /** Whether somebody else can be asked. */
  #canFail(failure: LlmFailure, quotaExhausted = false): boolean {
    const lease = this.#lease;
    const reached = this.#attempt?.reached === true;
    this.#report(failure, quotaExhausted);
    return lease !== undefined && this.#attempts?.failed(lease, failure, { reached }) === true;
  }

  #report(failure: LlmFailure, quotaExhausted: boolean): void {
    this.#lease?.report({ type: "failed", failure, quotaExhausted });
    if (this.#step !== undefined) this.#parts.routing.report(this.#step, { ok: false, failure });
  }

  #giveUp(failure: LlmFailure): void {
    const last = this.#refusal;
    if (last?.native === true) {
      const sent = sendRefusal(this.outgoing, last.refusal, {
        ours: this.headers(),
        credential: this.#credential,
        redact: this.#parts.redact,
      });
      if (sent) {
        this.#over = true;
        this.#close("failed", last.refusal.status, undefined, failure.code);
        return;
      }
    }
    this.#refuse(problemFor(this.explained(failure), this.#step === undefined ? {} : this.headers()), "failed");
  }

  #refuse(problem: ProblemError, outcome: Outcome = "refused"): void {
    this.#over = true;
    sendDialectProblem(this.outgoing, this.#asked.target.dialect, problem, this.#call.id);
    this.#close(outcome, problem.problem.status, undefined, problem.problem.code);
  }

  /** A mistake of ours, or a request that cannot be said. */
  #crash(error: unknown): void {
    if (this.#over) return;
    if (this.#lease !== undefined) this.#lease.report({ type: "cancelled" });
    if (error instanceof ProblemError) {
      this.#refuse(error, "failed");
      return;
    }
    const stack = error instanceof Error ? error.stack : String(error);
    this.#call.log.error("request failed", { requestId: this.#call.id, error: stack });
    this.#attempt?.abort();
    if (this.outgoing.headersSent) this.outgoing.destroy();
    this.#refuse(
      new ProblemError("internal", `The server made a mistake; its log has more under ${this.#call.id}.`),
      "failed",
    );
  }

  /** The client is gone, or the server has to end. */
  #stop(): void {
    if (this.#over) return;
    this.#over = true;
    const reached = this.#attempt?.reached === true;
    this.#attempt?.abort();
    this.#lease?.report({ type: "cancelled" });
    const gone = this.outgoing.destroyed;
    const delivery = this.#delivery;
    if (!gone && delivery?.sent === true) delivery.broken(SHUTTING_DOWN);
    else if (!gone)
      sendDialectProblem(this.outgoing, this.#asked.target.dialect, problemFor(SHUTTING_DOWN), this.#call.id);
    const [outcome, status] = gone ? (["cancelled", 499] as const) : (["cut_off", this.outgoing.statusCode] as const);
    const code = gone ? undefined : SHUTTING_DOWN.code;
    if (delivery !== undefined) delivery.read((answered) => this.#close(outcome, status, answered, code));
    else this.#close(outcome, status, reached ? NOTHING_SEEN : undefined, code);
  }

  #close(outcome: Outcome, status: number, answered: Answered | undefined, errorCode?: string): void {
    this.#parts.metrics.closed();
    this.#parts.open.delete(this);
    const { operation } = this.#asked.target;
    const billed = operation === "generate" || operation === "use";
    this.#account.close({
      outcome,
      status,
      errorCode,
      step: this.#step,
      credentialId: this.#lease?.credentialId,
      attempts: this.#attempts?.count ?? 0,
      answered: billed ? answered : undefined,
    });
  }
}

const REFUSALS = { rate: "rate_limited", money: "budget_exceeded", model: "forbidden" } as const;

const NOTHING_SEEN: Answered = { usage: undefined, final: false, model: undefined, textBytes: 0 };

const PRINTABLE = /^[\x20-\x7e]*$/;

function headerText(text: string): string {
  return PRINTABLE.test(text) ? text : text.replaceAll(/[^\x20-\x7e]/g, "?");
}
