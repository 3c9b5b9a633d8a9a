import type { LlmFailure } from "@loom/core";
import { redactFailure } from "@loom/llm";
import type {
  Admission,
  BudgetNode,
  CredentialLease,
  CredentialOutcome,
  Reservation,
  RouteStep,
  StepOutcome,
  WorstCase,
} from "../../gateway-types.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { Account } from "./account.ts";
import { affinityOf } from "./affinity.ts";
import { Attempts, type FailedAttempt } from "./attempts.ts";
import type { Answered } from "./delivery.ts";
import { filesOf, noDefaultModel, noHeaders, notSetUp } from "./failures.ts";
import { modelChoice } from "./model-choice.ts";
import type { GatewayParts } from "./parts.ts";
import type { Asked } from "./passage.ts";
import { isAlias } from "./straight-routing.ts";
import { namesProvider } from "./target.ts";
import type { Upstream } from "./upstream.ts";
import type { RequestHeaders } from "./upstream-request.ts";
import { isListing, SAFE_METHODS, worstCase } from "./worst-case.ts";

export type Asker = {
  /** As the ledger names them. */
  readonly subject: string;
  readonly nodes: readonly BudgetNode[];
};

/** Whom to ask, with what it takes to ask. */
export type Candidate = {
  readonly step: RouteStep;
  readonly upstream: Upstream;
  readonly lease: CredentialLease;
  readonly credential: RequestHeaders;
};

export type Found =
  | { readonly type: "candidate"; readonly candidate: Candidate }
  | { readonly type: "nobody"; readonly failure: LlmFailure }
  /** Those who ask have reached a limit, or what they ask cannot be said. */
  | { readonly type: "refused"; readonly problem: ProblemError; readonly byLimit: boolean };

export type FailedCandidate = FailedAttempt & {
  /** It was the client's doing, and says nothing of the upstream. */
  readonly byClient?: boolean;
  /** Of this machine: for the log, and no client. */
  readonly files?: readonly string[];
};

/**
 * Finds the upstreams for one request, one after the other: routed, within the limits, with a credential. Tells routing
 * and credentials how each did.
 */
export class Candidates {
  readonly #parts: GatewayParts;
  readonly #asked: Asked;
  readonly #asker: Asker;
  readonly #account: Account;
  readonly #onMistake: (error: unknown) => void;
  #attempts: Attempts | undefined;
  /** For whose price something is held. */
  #held: RouteStep | undefined;
  /** The last that was held, for whichever step. */
  #reservation: Reservation | undefined;
  #reported = true;
  /** The one before. */
  #before: { readonly step: RouteStep | undefined; readonly lease: CredentialLease | undefined } = EMPTY;
  /** What is being prepared, asked or was asked last. */
  step: RouteStep | undefined;
  lease: CredentialLease | undefined;
  /** What the request may cost at most, as far as that was asked. */
  worst: WorstCase = NOTHING;
  /** What a client is told of its limits. */
  limits: Readonly<Record<string, string>> = {};

  /** `onMistake`: something that may not happen did, and `next` will not call back. */
  constructor(parts: GatewayParts, asked: Asked, asker: Asker, account: Account, onMistake: (error: unknown) => void) {
    this.#parts = parts;
    this.#asked = asked;
    this.#asker = asker;
    this.#account = account;
    this.#onMistake = onMistake;
  }

  /** How many were asked. */
  get count(): number {
    return this.#attempts?.count ?? 0;
  }

  /** Calls back once, at once where nothing has to be waited for. */
  next(found: (found: Found) => void): void {
    const attempts = this.#attempts ?? this.#plan();
    if (!(attempts instanceof Attempts)) {
      found({ type: "nobody", failure: attempts });
      return;
    }
    const next = attempts.next();
    if (next.type === "give_up") {
      found({ type: "nobody", failure: next.failure });
      return;
    }
    const { step, lease, delayMs } = next;
    this.#before = { step: this.step, lease: this.lease };
    this.step = step;
    this.lease = lease;
    this.#reported = false;
    if (delayMs === 0) this.#prepare(step, lease, found);
    else
      setTimeout(() => {
        try {
          this.#prepare(step, lease, found);
        } catch (error) {
          this.#onMistake(error);
        }
      }, delayMs);
  }

  /** The one that was asked failed. Says whether `next` may find another. */
  failed(failure: LlmFailure, how: FailedCandidate): boolean {
    const { reached, quotaExhausted = false, byClient = false, files = [] } = how;
    const { lease, step } = this;
    const { call } = this.#asked;
    call.log.warn("model failed", {
      requestId: call.id,
      provider: step?.upstream,
      model: step?.model,
      code: failure.code,
      message: redactFailure(failure, this.#parts.redact).message,
      ...(files.length === 0 ? {} : { files: files.join(", ") }),
    });
    if (byClient) this.cancelled();
    else this.#report({ type: "failed", failure, quotaExhausted }, { type: "failed", failure, reached });
    return lease !== undefined && this.#attempts?.failed(lease, failure, how) === true;
  }

  /** The one that was asked had got the request, and may bill it; somebody else is looked for. */
  replaced(answered: Answered, errorCode: string): void {
    const { step, lease, count: attempts } = this;
    this.#account.replaced({ step, credentialId: lease?.credentialId, attempts, answered, errorCode });
    this.#held = undefined;
  }

  /** The first byte of an answer has come. */
  alive(): void {
    if (!this.#reported && this.step !== undefined) this.#parts.routing.report(this.step, ALIVE);
  }

  succeeded(): void {
    this.#report(OK, OK);
  }

  cancelled(): void {
    this.#report(CANCELLED, CANCELLED);
  }

  /** Once for each attempt, whatever happens after. */
  #report(ofCredential: CredentialOutcome, ofStep: StepOutcome): void {
    if (this.#reported) return;
    this.#reported = true;
    this.lease?.report(this.#isAboutThePath(ofCredential) ? CANCELLED : ofCredential);
    if (this.step !== undefined) this.#parts.routing.report(this.step, ofStep);
  }

  /** A path that is passed on as it is may be closed to a key that is good for everything else. */
  #isAboutThePath(outcome: CredentialOutcome): boolean {
    return this.#isPassedOn && outcome.type === "failed" && outcome.failure.code === "unauthorized";
  }

  get #isPassedOn(): boolean {
    const { question, target } = this.#asked;
    return question === undefined || target.operation === "use";
  }

  /** An alias that nobody has given a meaning: the upstream's own first model. */
  #isOpen(model: string): boolean {
    return isAlias(model) && !this.#isPassedOn;
  }

  #plan(): Attempts | LlmFailure {
    const { call, target, question, headers } = this.#asked;
    const session = headers.session ?? question?.cacheKey;
    const affinity = session === undefined ? undefined : affinityOf(this.#asker.nodes, session);
    const upstream = namesProvider(target) ? target.upstream : undefined;
    // What is passed on as it is goes where its path says, and names its model by itself; where the path says nobody, by that.
    const plan =
      question === undefined || (this.#isPassedOn && upstream !== undefined)
        ? ({ ok: true, steps: [{ upstream: upstream ?? "", model: question?.model ?? "", reason: "path" }] } as const)
        : this.#parts.routing.plan({
            model: question.model,
            upstream,
            affinity,
            nodes: this.#asker.nodes,
            dialect: target.dialect,
          });
    if (!plan.ok) return plan.failure;
    const { credentials, routing } = this.#parts;
    const idempotent = target.operation === "count_tokens" || SAFE_METHODS.has(call.incoming.method ?? "");
    this.#attempts = new Attempts(plan, { credentials, routing, affinity, idempotent });
    return this.#attempts;
  }

  #prepare(step: RouteStep, lease: CredentialLease, found: (found: Found) => void): void {
    const upstream = this.#parts.upstreams.get(step.upstream);
    if (upstream === undefined) {
      this.#skip(notSetUp(step.upstream), found);
      return;
    }
    const held = this.#hold(step, upstream);
    if (!(held instanceof Promise)) this.#go(held, { step, upstream, lease }, found);
    else held.then((problem) => this.#go(problem, { step, upstream, lease }, found)).catch(this.#onMistake);
  }

  #go(problem: ProblemError | undefined, prepared: Omit<Candidate, "credential">, found: (found: Found) => void): void {
    const { step, upstream, lease } = prepared;
    if (problem !== undefined) {
      if (problem.problem.code === "forbidden") this.#withdraw(problem, found, { byLimit: true });
      else {
        this.cancelled();
        this.lease = undefined;
        found({ type: "refused", problem, byLimit: true });
      }
      return;
    }
    const credential = lease.headers();
    if (!(credential instanceof Promise) && !this.#isOpen(step.model)) {
      found({ type: "candidate", candidate: { step, upstream, lease, credential } });
      return;
    }
    this.#complete({ step, upstream, lease }, credential, found).catch((error: unknown) => {
      try {
        this.#skip(noHeaders(step.upstream, error, this.#parts.redact), found, filesOf(error));
      } catch (mistake) {
        this.#onMistake(mistake);
      }
    });
  }

  async #complete(
    { step, upstream, lease }: Omit<Candidate, "credential">,
    waiting: RequestHeaders | Promise<RequestHeaders>,
    found: (found: Found) => void,
  ): Promise<void> {
    const credential = await waiting;
    const model = this.#isOpen(step.model) ? await this.#parts.defaultModel(upstream, credential) : step.model;
    if (model === undefined) {
      this.#skip(noDefaultModel(upstream), found);
      return;
    }
    this.step = { ...step, model };
    found({ type: "candidate", candidate: { step: this.step, upstream, lease, credential } });
  }

  /** This one cannot even be asked. */
  #skip(failure: LlmFailure, found: (found: Found) => void, files: readonly string[] = []): void {
    if (this.failed(failure, { reached: false, files })) this.next(found);
    else found({ type: "nobody", failure });
  }

  /** What is asked cannot be said to the one that was found; perhaps to the next. Calls back once. */
  unusable(problem: ProblemError, found: (found: Found) => void): void {
    this.#withdraw(problem, found, { byLimit: false });
  }

  /** The step is nothing for this request. Where nobody else is left, what was wrong before says more. */
  #withdraw(problem: ProblemError, found: (found: Found) => void, { byLimit }: { readonly byLimit: boolean }): void {
    this.cancelled();
    const attempts = this.#attempts;
    const isAnother = attempts?.withdrawn() === true;
    const failure = attempts?.failure;
    if (failure === undefined) this.lease = undefined;
    else ({ step: this.step, lease: this.lease } = this.#before);
    if (isAnother) this.next(found);
    else if (failure !== undefined) found({ type: "nobody", failure });
    else found({ type: "refused", problem, byLimit });
  }

  /** Holds the worst case; another model, or the same one elsewhere, may cost more. */
  #hold(step: RouteStep, upstream: Upstream): ProblemError | undefined | Promise<ProblemError | undefined> {
    const { budgets } = this.#parts;
    if (budgets === undefined) return undefined;
    if (this.#held?.upstream === step.upstream && this.#held.model === step.model) return undefined;
    const { session } = this.#asked.headers;
    // First: what the last attempt held must not be in the way of this one.
    this.#account.release();
    this.#held = undefined;
    this.worst = worstCase(this.#asked, step, this.#parts);
    const admission = budgets.reserve({
      nodes: this.#asker.nodes,
      model: isListing(this.#asked) ? undefined : this.#parts.redact(step.model),
      worst: this.worst,
      choice: modelChoice(this.#asked, upstream, step.model),
      session,
      after: this.#reservation,
    });
    if (!(admission instanceof Promise)) return this.#take(admission, step);
    return admission.then((known) => this.#take(known, step));
  }

  #take(admission: Admission, step: RouteStep): ProblemError | undefined {
    this.limits = admission.headers;
    if (admission.ok) {
      this.#held = step;
      this.#reservation = admission.reservation;
      this.#account.hold(admission.reservation);
      return undefined;
    }
    const { reason, message, retryAfterMs, headers } = admission;
    return new ProblemError(REFUSALS[reason], message, { retryable: RETRYABLE.has(reason), retryAfterMs, headers });
  }
}

const REFUSALS = {
  rate: "rate_limited",
  money: "budget_exceeded",
  model: "forbidden",
  unavailable: "unavailable",
} as const;
const RETRYABLE: ReadonlySet<string> = new Set(["rate", "unavailable"]);

const NOTHING: WorstCase = { inputTokens: 0, outputTokens: 0 };
const EMPTY = { step: undefined, lease: undefined };
const ALIVE = { type: "alive" } as const;
const OK = { type: "ok" } as const;
const CANCELLED = { type: "cancelled" } as const;
