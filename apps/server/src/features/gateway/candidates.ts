import type { LlmFailure } from "@loom/core";
import type { Admission, BudgetNode, CredentialLease, CredentialOutcome, RouteStep } from "../../gateway-types.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { Account } from "./account.ts";
import { Attempts } from "./attempts.ts";
import { noDefaultModel, noHeaders, notSetUp } from "./failures.ts";
import type { GatewayParts } from "./parts.ts";
import type { Asked } from "./passage.ts";
import type { Upstream } from "./upstream.ts";
import type { RequestHeaders } from "./upstream-request.ts";
import { worstCase } from "./worst-case.ts";

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
  /** Those who ask have reached a limit. */
  | { readonly type: "refused"; readonly problem: ProblemError };

/**
 * Finds the upstreams for one request, one after the other: routed, within the limits, with a credential. Tells routing
 * and credentials how each did.
 */
export class Candidates {
  readonly #parts: GatewayParts;
  readonly #asked: Asked;
  readonly #asker: Asker;
  readonly #account: Account;
  #attempts: Attempts | undefined;
  #heldModel: string | undefined;
  #reported = true;
  /** What is being prepared, asked or was asked last. */
  step: RouteStep | undefined;
  lease: CredentialLease | undefined;
  /** What a client is told of its limits. */
  limits: Readonly<Record<string, string>> = {};

  constructor(parts: GatewayParts, asked: Asked, asker: Asker, account: Account) {
    this.#parts = parts;
    this.#asked = asked;
    this.#asker = asker;
    this.#account = account;
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
    this.step = step;
    this.lease = lease;
    this.#reported = false;
    if (delayMs === 0) this.#prepare(step, lease, found);
    else setTimeout(() => this.#prepare(step, lease, found), delayMs);
  }

  /** The one that was asked failed. Says whether `next` may find another. */
  failed(
    failure: LlmFailure,
    { reached, quotaExhausted = false }: { readonly reached: boolean; readonly quotaExhausted?: boolean },
  ): boolean {
    const { lease, step } = this;
    const { call } = this.#asked;
    call.log.warn("model failed", {
      requestId: call.id,
      provider: step?.upstream,
      model: step?.model,
      code: failure.code,
      message: this.#parts.redact(failure.message),
    });
    this.#report({ type: "failed", failure, quotaExhausted });
    if (this.step !== undefined) this.#parts.routing.report(this.step, { ok: false, failure });
    return lease !== undefined && this.#attempts?.failed(lease, failure, { reached }) === true;
  }

  succeeded(): void {
    this.#report({ type: "ok" });
    if (this.step !== undefined) this.#parts.routing.report(this.step, { ok: true });
  }

  cancelled(): void {
    this.#report({ type: "cancelled" });
  }

  /** Once for each lease, whatever happens after. */
  #report(outcome: CredentialOutcome): void {
    if (this.#reported) return;
    this.#reported = true;
    this.lease?.report(outcome);
  }

  #plan(): Attempts | LlmFailure {
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
    if (!plan.ok) return plan.failure;
    this.#attempts = new Attempts(plan, this.#parts.credentials, affinity);
    return this.#attempts;
  }

  #prepare(step: RouteStep, lease: CredentialLease, found: (found: Found) => void): void {
    const upstream = this.#parts.upstreams.get(step.upstream);
    if (upstream === undefined) {
      this.#skip(notSetUp(step.upstream), found);
      return;
    }
    const held = this.#hold(step);
    if (!(held instanceof Promise)) this.#go(held, { step, upstream, lease }, found);
    else
      held
        .then((problem) => this.#go(problem, { step, upstream, lease }, found))
        .catch((error: unknown) => this.#lost(error));
  }

  #go(problem: ProblemError | undefined, prepared: Omit<Candidate, "credential">, found: (found: Found) => void): void {
    const { step, upstream, lease } = prepared;
    if (problem !== undefined) {
      this.cancelled();
      this.lease = undefined;
      found({ type: "refused", problem });
      return;
    }
    const credential = lease.headers();
    if (!(credential instanceof Promise) && !isOpen(step.model)) {
      found({ type: "candidate", candidate: { step, upstream, lease, credential } });
      return;
    }
    this.#complete(step, upstream, lease, found).catch((error: unknown) =>
      this.#skip(noHeaders(step.upstream, this.#parts.redact(String(error))), found),
    );
  }

  async #complete(
    step: RouteStep,
    upstream: Upstream,
    lease: CredentialLease,
    found: (found: Found) => void,
  ): Promise<void> {
    const credential = await lease.headers();
    const model = isOpen(step.model) ? await this.#parts.defaultModel(upstream, credential) : step.model;
    if (model === undefined) {
      this.#skip(noDefaultModel(upstream), found);
      return;
    }
    this.step = { ...step, model };
    found({ type: "candidate", candidate: { step: this.step, upstream, lease, credential } });
  }

  /** This one cannot even be asked. */
  #skip(failure: LlmFailure, found: (found: Found) => void): void {
    if (this.failed(failure, { reached: false })) this.next(found);
    else found({ type: "nobody", failure });
  }

  #lost(error: unknown): void {
    const { id, log } = this.#asked.call;
    log.error("request failed", { requestId: id, error: error instanceof Error ? error.stack : String(error) });
  }

  /** Holds the worst case; the model may cost more on another step. */
  #hold(step: RouteStep): ProblemError | undefined | Promise<ProblemError | undefined> {
    const { budgets, prices } = this.#parts;
    if (budgets === undefined || this.#heldModel === step.model) return undefined;
    const { session } = this.#asked.headers;
    // First: what the last attempt held must not be in the way of this one.
    this.#account.release();
    this.#heldModel = undefined;
    const admission = budgets.reserve({
      nodes: this.#asker.nodes,
      model: step.model,
      worst: worstCase(this.#asked, step, prices),
      ...(session === undefined ? {} : { session }),
    });
    if (!(admission instanceof Promise)) return this.#take(admission, step);
    return admission.then((known) => this.#take(known, step));
  }

  #take(admission: Admission, step: RouteStep): ProblemError | undefined {
    this.limits = admission.headers;
    if (admission.ok) {
      this.#heldModel = step.model;
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

/** An alias that nobody has given a meaning: the upstream's own first model. */
function isOpen(model: string): boolean {
  return model === "default" || model === "fast";
}
