import type { LlmFailure } from "@loom/core";
import { redactFailure } from "@loom/llm";
import type { RawCall } from "../../kit/call.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import { Account, type Outcome } from "./account.ts";
import { Attempt, type AttemptListener, LINGER_MS, type Refusal, SEAL_MS } from "./attempt.ts";
import { type Asker, type Candidate, Candidates, type Found } from "./candidates.ts";
import { contentEncoding, createContentDecoder } from "./content-decoding.ts";
import { credentialForms } from "./credential-forms.ts";
import { DecodedDelivery } from "./decoded-delivery.ts";
import type { Answered, Delivery, DeliveryHost, Drained } from "./delivery.ts";
import { CUT_OFF, noSocket, SHUTTING_DOWN, UNREADABLE, UNWRITABLE, WEB_PAGE } from "./failures.ts";
import type { GatewayParts } from "./parts.ts";
import { type Asked, openPassage, type Passage } from "./passage.ts";
import { noPictures } from "./pictures/picture-data.ts";
import { requestIds, sendDialectProblem } from "./reply.ts";
import { routeHeaders } from "./route-headers.ts";
import { sendRefusal } from "./send-refusal.ts";
import type { UpstreamHeaders } from "./transport.ts";
import { withOwnUploadAddress } from "./upload-address.ts";
import type { ReadRefusal } from "./upstream-errors.ts";
import { problemFor } from "./wire-errors.ts";
import { isBilled } from "./worst-case.ts";

/**
 * One client's request from the moment its body is there: admitted, tried at one upstream after the other, delivered,
 * and settled once, however it ends. Callbacks all the way: a promise for each step would cost more than the step.
 */
export class Exchange implements AttemptListener, DeliveryHost {
  readonly outgoing: RawOutgoing;
  readonly keepAliveMs: number;
  place = -1;
  readonly #parts: GatewayParts;
  readonly #call: RawCall;
  readonly #asked: Asked;
  readonly #account: Account;
  readonly #candidates: Candidates;
  /** The last that was asked, and what it did not hear of. */
  #candidate: Candidate | undefined;
  #leftOut: readonly string[] = NOTHING_LEFT_OUT;
  #passage: Passage | undefined;
  #attempt: Attempt | undefined;
  #delivery: Delivery | undefined;
  #refusal: Refusal | undefined;
  /** What the refusal was understood as. */
  #refused: LlmFailure | undefined;
  /** What the upstream is kept waiting for; it goes on when that was the last. */
  #pauses = new Set<Drained>();
  #over = false;

  constructor(parts: GatewayParts, asked: Asked, { subject, nodes }: Asker) {
    const { call, target, headers, question } = asked;
    this.#parts = parts;
    this.#call = call;
    this.outgoing = call.outgoing;
    this.keepAliveMs = parts.keepAliveMs;
    this.#asked = asked;
    const { session, client } = headers;
    const { model: requestedModel = "", maxOutputTokens, answers = 1 } = question ?? {};
    const { promptBytes = 0, pictures = noPictures } = question ?? {};
    const { dialect } = target;
    const { id: requestId } = call;
    const prompt = { promptBytes, pictures, maxOutputTokens, answers };
    const asker = { requestId, subject, nodes, session, client, dialect, requestedModel, ...prompt };
    this.#account = new Account(asker, parts);
    this.#candidates = new Candidates(parts, asked, asker, this.#account, (error) => this.#crash(error));
  }

  start(): void {
    const { ledger, metrics, open, prices } = this.#parts;
    metrics.opened();
    open.add(this);
    this.#call.onStop(() => this.#stop());
    // The client has gone before its turn came.
    if (this.#over) return;
    if (ledger?.healthy() === false) {
      this.#refuse(new ProblemError("unavailable", UNWRITABLE, { retryable: true }), "refused");
      return;
    }
    // A whole answer may come at once, and is accounted for as it comes.
    const waiting = prices.ready();
    if (waiting === undefined) this.#seek();
    else waiting.then(() => this.#seek()).catch((error: unknown) => this.#crash(error));
  }

  /** What is held for it is held for longer. */
  touch(): void {
    this.#account.touch();
  }

  // What the attempt says.

  onHead(status: number, headers: UpstreamHeaders): void {
    const passage = this.#passage;
    if (this.#over || passage === undefined) return;
    if (this.#asked.target.operation === "generate" && isWebPage(headers)) {
      this.failed(WEB_PAGE, { isOfModel: false });
      return;
    }
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
    delivery.onHead(status, this.#atHome(headers));
  }

  /** What is asked of a provider's own paths may be told to go on at an address of the provider. */
  #atHome(headers: UpstreamHeaders): UpstreamHeaders {
    const upstream = this.#candidate?.upstream;
    if (this.#asked.target.operation !== "administer" || upstream === undefined) return headers;
    const origin = (): string => this.#parts.originOf(this.#call.incoming);
    return withOwnUploadAddress(headers, { upstream, origin });
  }

  onChunk(chunk: Buffer): void {
    this.#delivery?.onChunk(chunk);
  }

  onEnd(trailers: UpstreamHeaders): void {
    this.#delivery?.onEnd(trailers);
  }

  onRefused(refusal: Refusal): void {
    const [passage, candidate] = [this.#passage, this.#candidate];
    if (this.#over || passage === undefined || candidate === undefined) return;
    if (passage.hidesUsage && refusal.status < 500 && refusal.body.includes("stream_options")) {
      this.#parts.withoutStreamUsage.add(candidate.upstream.name);
      this.#ask(candidate);
      return;
    }
    const { failure, ...more } = passage.errors.ofRefusal(refusal);
    this.#refusal = passage.native ? refusal : undefined;
    this.#refused = failure;
    this.#tryElsewhere(failure, more);
  }

  onFailed(failure: LlmFailure, options?: { readonly byClient: boolean }): void {
    this.failed(failure, options);
  }

  onUnable(code: string): void {
    if (this.#over) return;
    this.#call.log.error("no connection can be opened", { requestId: this.#call.id, code });
    this.#candidates.cancelled();
    this.#refuse(new ProblemError("unavailable", noSocket(code), { retryable: true, retryAfterMs: 1_000 }), "failed");
  }

  // What the delivery asks for.

  headers(): { readonly [name: string]: string } {
    const { limits, step, count } = this.#candidates;
    // Of the one that the route names: whoever was found after it and could not be asked said nothing.
    const leftOut = step === this.#candidate?.step ? this.#leftOut : NOTHING_LEFT_OUT;
    const way = routeHeaders({ step, attempts: count, leftOut, redact: this.#parts.redact });
    const { id } = this.#call;
    // A provider that speaks the client's dialect has an id of its own to tell.
    const ids = this.#passage?.native === false ? requestIds(this.#asked.target.dialect, id) : { "x-request-id": id };
    return { ...limits, ...ids, ...way };
  }

  get secrets(): readonly string[] {
    return this.#candidate === undefined ? NO_SECRETS : credentialForms(this.#candidate.credential);
  }

  redact(text: string): string {
    return this.#parts.redact(text);
  }

  pause(until: Drained = this.outgoing): void {
    if (this.#pauses.has(until)) return;
    this.#pauses.add(until);
    this.#attempt?.pause();
    until.once("drain", () => this.resume(until));
  }

  resume(after: Drained): void {
    if (this.#pauses.delete(after) && this.#pauses.size === 0) this.#attempt?.resume();
  }

  firstByte(): void {
    this.#account.firstByte();
    this.#candidates.alive();
  }

  explained(failure: LlmFailure): LlmFailure {
    return redactFailure(failure, this.#parts.redact);
  }

  awaitEvent(): void {
    this.#attempt?.awaitEvent();
  }

  expectEnd({ isSealed }: { readonly isSealed: boolean }): void {
    this.#attempt?.expectEnd(isSealed ? LINGER_MS : SEAL_MS);
  }

  leave(): void {
    this.#attempt?.leave(LINGER_MS);
  }

  failed(failure: LlmFailure, { byClient = false, isOfModel = true }: FailedHow = {}): void {
    if (this.#over) return;
    const reached = this.#attempt?.reached === true;
    this.#attempt?.abort();
    const delivery = this.#delivery;
    if (delivery?.isWhole() === true) {
      delivery.onEnd({});
      return;
    }
    if (delivery?.sent === true) {
      this.#over = true;
      this.#candidates.failed(failure, { reached: true, byClient });
      delivery.broken(this.explained(failure));
      this.#close("cut_off", this.outgoing.statusCode, delivery.read(), failure.code);
      return;
    }
    this.#refusal = undefined;
    this.#delivery = undefined;
    const seen = delivery?.read();
    this.#tryElsewhere(failure, reached && isOfModel ? { lost: seen ?? NOTHING_SEEN } : {});
  }

  refused({ failure, ...more }: ReadRefusal, answered?: Answered): void {
    if (this.#over) return;
    this.#attempt?.abort();
    this.#refusal = undefined;
    this.#delivery?.read();
    this.#delivery = undefined;
    this.#tryElsewhere(failure, answered === undefined ? more : { ...more, lost: answered });
  }

  refusedInBand(failure: LlmFailure): boolean {
    if (this.#over || !this.#candidates.failed(failure, { reached: true })) return false;
    this.#attempt?.abort();
    this.#delivery?.read();
    this.#delivery = undefined;
    this.#seekAnother();
    return true;
  }

  finished(
    outcome: "completed" | "cut_off" | "failed",
    answered: Answered | undefined,
    failure: LlmFailure = CUT_OFF,
  ): void {
    if (this.#over) return;
    this.#over = true;
    if (outcome === "completed") this.#candidates.succeeded();
    else this.#candidates.failed(failure, { reached: true });
    this.#close(outcome, this.outgoing.statusCode, answered, outcome === "completed" ? undefined : failure.code);
  }

  // How it goes on.

  #seek(): void {
    try {
      this.#candidates.next((found) => this.#go(found));
    } catch (error) {
      this.#crash(error);
    }
  }

  /** What the last attempt reached says nothing of the next one, which has not been sent yet. */
  #seekAnother(): void {
    this.#attempt = undefined;
    this.#passage = undefined;
    this.#seek();
  }

  #go(found: Found): void {
    if (this.#over) {
      this.#candidates.cancelled();
      return;
    }
    switch (found.type) {
      case "candidate":
        this.#ask(found.candidate);
        break;
      case "nobody":
        // Where nobody is left, there may be more to say than what the last one said.
        if (found.failure !== this.#refused) this.#refusal = undefined;
        this.#giveUp(found.failure);
        break;
      case "refused":
        this.#refuse(found.problem, found.byLimit ? "refused" : "failed");
    }
  }

  #ask(candidate: Candidate): void {
    const { step, upstream, credential } = candidate;
    try {
      const passage = openPassage(this.#asked, step, upstream, credential, this.#parts);
      this.#passage = passage;
      this.#candidate = candidate;
      this.#leftOut = passage.leftOut ?? NOTHING_LEFT_OUT;
      const stream = this.#asked.question?.stream === true;
      const { clock, transport } = this.#parts;
      const deadlines =
        step.deadlines === undefined ? this.#parts.deadlines : { ...this.#parts.deadlines, ...step.deadlines };
      const attempt = new Attempt(upstream, { deadlines, clock, stream }, this);
      this.#pauses = new Set();
      this.#attempt = attempt;
      if (!isBilled(this.#asked, upstream)) attempt.start(transport, passage.request);
      else {
        const { lease, count: attempts, worst } = this.#candidates;
        const leaving = { step, credentialId: lease?.credentialId ?? "", attempts, worst };
        this.#account.leave(leaving, () => {
          try {
            attempt.start(transport, passage.request);
          } catch (error) {
            this.#crash(error);
          }
        });
      }
    } catch (error) {
      // What one dialect cannot say, that of the next step may.
      if (error instanceof ProblemError) this.#candidates.unusable(error, (found) => this.#go(found));
      else this.#crash(error);
    }
  }

  /** `lost`: what was seen of an attempt that had reached the upstream, which may bill it. */
  #tryElsewhere(failure: LlmFailure, how: Omit<ReadRefusal, "failure"> & { readonly lost?: Answered }): void {
    if (this.#over) return;
    const { lost, ...more } = how;
    const reached = this.#attempt?.reached === true;
    const another = this.#candidates.failed(failure, { reached, ...more });
    // A body that is passed on as it comes cannot be sent twice.
    const body = this.#passage?.request.body ?? null;
    if (!another || !(body === null || Buffer.isBuffer(body))) {
      this.#giveUp(failure, lost);
      return;
    }
    if (lost !== undefined && this.#isBilled) this.#candidates.replaced(lost, failure.code);
    this.#seekAnother();
  }

  #giveUp(failure: LlmFailure, lost?: Answered): void {
    const [refusal, candidate] = [this.#refusal, this.#candidate];
    if (refusal !== undefined && candidate !== undefined) {
      const { redact } = this.#parts;
      if (sendRefusal(this.outgoing, refusal, { ours: this.headers(), credential: candidate.credential, redact })) {
        this.#over = true;
        this.#close("failed", refusal.status, lost, failure.code);
        return;
      }
    }
    const headers = this.#candidates.step === undefined ? {} : this.headers();
    this.#refuse(problemFor(this.explained(failure), headers), "failed", lost);
  }

  #refuse(problem: ProblemError, outcome: Outcome, answered?: Answered): void {
    this.#over = true;
    sendDialectProblem(this.outgoing, this.#asked.target.dialect, problem, this.#call.id);
    this.#close(outcome, problem.problem.status, answered, problem.problem.code);
  }

  /** A mistake of ours, or a request that cannot be said. */
  #crash(error: unknown): void {
    if (this.#over) return;
    this.#attempt?.abort();
    this.#candidates.cancelled();
    if (error instanceof ProblemError) {
      this.#refuse(error, "failed");
      return;
    }
    const { id, log } = this.#call;
    log.error("request failed", { requestId: id, error: error instanceof Error ? error.stack : String(error) });
    if (this.outgoing.headersSent) this.outgoing.destroy();
    this.#refuse(new ProblemError("internal", `The server made a mistake; its log has more under ${id}.`), "failed");
  }

  /** The client is gone, or the server has to end. */
  #stop(): void {
    if (this.#over) return;
    this.#over = true;
    const reached = this.#attempt?.reached === true;
    this.#attempt?.abort();
    this.#candidates.cancelled();
    const gone = this.outgoing.destroyed;
    const delivery = this.#delivery;
    if (!gone && delivery?.sent === true) delivery.broken(SHUTTING_DOWN);
    else if (!gone)
      sendDialectProblem(this.outgoing, this.#asked.target.dialect, problemFor(SHUTTING_DOWN), this.#call.id);
    const [outcome, status] = gone ? (["cancelled", 499] as const) : (["cut_off", this.outgoing.statusCode] as const);
    const code = gone ? undefined : SHUTTING_DOWN.code;
    const answered = delivery === undefined && reached ? NOTHING_SEEN : delivery?.read();
    this.#close(outcome, status, answered, code);
  }

  /** By whoever was asked last. */
  get #isBilled(): boolean {
    const { step } = this.#candidates;
    return isBilled(this.#asked, step && this.#parts.upstreams.get(step.upstream));
  }

  #close(outcome: Outcome, status: number, answered: Answered | undefined, errorCode?: string): void {
    const { metrics, open } = this.#parts;
    metrics.closed();
    open.delete(this);
    const { step, lease, count: attempts } = this.#candidates;
    const billed = this.#isBilled ? answered : undefined;
    this.#account.close({
      outcome,
      status,
      errorCode,
      step,
      credentialId: lease?.credentialId,
      attempts,
      answered: billed,
    });
  }
}

type FailedHow = { readonly byClient?: boolean; readonly isOfModel?: boolean };

/** No model answers with one, in any dialect. */
function isWebPage(headers: UpstreamHeaders): boolean {
  const type = headers["content-type"];
  return typeof type === "string" && /^text\/html\b/i.test(type);
}

const NOTHING_SEEN: Answered = { usage: undefined, final: false, model: undefined, textBytes: 0 };

const NOTHING_LEFT_OUT: readonly string[] = [];
const NO_SECRETS: readonly string[] = [];
