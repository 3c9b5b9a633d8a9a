import type { LlmFailure } from "@loom/core";
import type { CredentialLease, Credentials, RoutePlan, RouteStep, Routing } from "../../gateway-types.ts";

/** Requests to upstreams for one request of a client, all together. */
const MAX_ATTEMPTS = 8;

/** With other credentials of one upstream, while there are further steps. */
const MAX_CREDENTIALS = 3;

/** After so long no further attempt begins: by then most clients have given up. */
const MAX_MS = 300_000;

/** Before the same upstream is asked again, in milliseconds; with up to half as much more, by chance. */
const SAME_AGAIN_MS = 100;

export type NextAttempt =
  | { readonly type: "try"; readonly step: RouteStep; readonly lease: CredentialLease; readonly delayMs: number }
  /** Nobody is left; the failure is the last one that an upstream gave, if there was one. */
  | { readonly type: "give_up"; readonly failure: LlmFailure };

export type AttemptsOptions = {
  readonly credentials: Credentials;
  readonly routing: Pick<Routing, "enter">;
  readonly affinity: string | undefined;
  /** Whether it does no harm if an upstream gets the request twice (RFC 9110, 9.2.2); an answer of a model is billed. */
  readonly idempotent: boolean;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
};

export type FailedAttempt = {
  /** Whether the upstream may have seen the request. */
  readonly reached: boolean;
  /** The credential is used up for every model. */
  readonly quotaExhausted?: boolean;
  /** The prompt does not fit into the model. */
  readonly contextTooLong?: boolean;
};

/**
 * Whom to ask next: every step of the route, on each with another credential where the credential was the trouble. The
 * same upstream with the same credential is asked twice only where it cannot have got the request, or where that costs
 * nothing: clients try again by themselves, and two layers that do so ask many times.
 */
export class Attempts {
  readonly #steps: readonly RouteStep[];
  readonly #options: AttemptsOptions;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #spent: string[] = [];
  /** For this step only: providers limit the rate by model. */
  #spentHere: string[] = [];
  #index = 0;
  #credentialsHere = 0;
  #failure: LlmFailure | undefined;
  /** For the reason of what is tried next. */
  #because: string | undefined;
  #delayMs = 0;
  #again = false;
  count = 0;

  constructor(plan: RoutePlan & { readonly ok: true }, options: AttemptsOptions) {
    this.#steps = plan.steps;
    this.#options = options;
    this.#now = options.now ?? processMs;
    this.#startedAt = this.#now();
  }

  next(): NextAttempt {
    const { credentials, routing, affinity } = this.#options;
    while (this.#mayGoOn()) {
      const step = this.#steps[this.#index];
      if (step === undefined) break;
      const isLast = this.#index + 1 === this.#steps.length;
      if (this.#credentialsHere >= MAX_CREDENTIALS && !isLast) {
        this.#advance();
        continue;
      }
      const isFresh = this.#spent.length === 0 && this.#spentHere.length === 0;
      const exclude = isFresh ? undefined : [...this.#spent, ...this.#spentHere];
      const lease = credentials.lease(step.upstream, { affinity, exclude });
      if (lease === undefined) {
        this.#failure = noCredential(step, credentials, this.#failure);
        this.#advance();
        continue;
      }
      if (!routing.enter(step, { lastChance: isLast && this.count === 0 })) {
        lease.report({ type: "cancelled" });
        this.#advance();
        continue;
      }
      this.count += 1;
      const delayMs = this.#delayMs;
      this.#delayMs = 0;
      const reason = this.#because === undefined ? step.reason : `${step.reason}; ${this.#because}`;
      return { type: "try", step: this.#because === undefined ? step : { ...step, reason }, lease, delayMs };
    }
    return { type: "give_up", failure: this.#failure ?? NO_ROUTE };
  }

  /** Takes note of a failed attempt. Says whether another one makes sense. */
  failed(lease: CredentialLease, failure: LlmFailure, failed: FailedAttempt): boolean {
    this.#failure = failure;
    if (!this.#mayGoOn()) return false;
    const { upstream = "", model = "" } = this.#steps[this.#index] ?? {};
    switch (failure.code) {
      case "unauthorized":
      case "budget_exceeded":
      case "rate_limited":
        if (failure.code === "rate_limited" && failed.quotaExhausted !== true) this.#spentHere.push(lease.credentialId);
        else this.#spent.push(lease.credentialId);
        this.#credentialsHere += 1;
        this.#because = `fallback after ${failure.code} of ${upstream}/${model}`;
        return true;
      case "invalid_request":
        return failed.contextTooLong === true && this.#roomier(`fallback after ${upstream}/${model} was too small`);
      case "unknown_model":
      case "overloaded":
      case "network":
      case "timeout":
      case "invalid_response":
      case "not_configured":
        if (this.#index + 1 >= this.#steps.length) return failure.code === "network" && this.#sameAgain(failed);
        this.#because = `fallback after ${failure.code} of ${upstream}/${model}`;
        this.#advance();
        return true;
      case "internal":
        return false;
    }
  }

  /** The step was not asked after all, because those who ask may not use it. Says whether there is another. */
  withdrawn(): boolean {
    this.count -= 1;
    this.#advance();
    return this.#index < this.#steps.length;
  }

  /** The last one, if there was one. */
  get failure(): LlmFailure | undefined {
    return this.#failure;
  }

  #mayGoOn(): boolean {
    return this.count < MAX_ATTEMPTS && this.#now() - this.#startedAt < MAX_MS;
  }

  #advance(to = this.#index + 1): void {
    this.#index = to;
    this.#credentialsHere = 0;
    this.#spentHere = [];
  }

  /** On to the next model that is known to hold more. */
  #roomier(because: string): boolean {
    const size = this.#steps[this.#index]?.contextWindow;
    if (size === undefined) return false;
    const next = this.#steps.findIndex(({ contextWindow = 0 }, index) => index > this.#index && contextWindow > size);
    if (next === -1) return false;
    this.#because = because;
    this.#advance(next);
    return true;
  }

  #sameAgain({ reached }: FailedAttempt): boolean {
    if (this.#again || (reached && !this.#options.idempotent)) return false;
    this.#again = true;
    const before = this.#because === undefined ? "" : `${this.#because}; `;
    this.#because = `${before}once more after a broken connection`;
    this.#delayMs = SAME_AGAIN_MS * (1 + Math.random() / 2);
    return true;
  }
}

const NO_ROUTE: LlmFailure = {
  code: "not_configured",
  message: "No provider is set up for this model.",
  retryable: false,
};

/** Milliseconds of the process; `performance.now()` would load a module for the same. */
function processMs(): number {
  return process.uptime() * 1000;
}

/** `last`: what the last credential met with. Where there are several, all of them together say when to come back. */
function noCredential({ upstream }: RouteStep, credentials: Credentials, last: LlmFailure | undefined): LlmFailure {
  const { available, coolingDown, disabled, usedUp, retryAfterMs } = credentials.health(upstream);
  const isLimited = last?.code === "rate_limited" || last?.code === "budget_exceeded";
  // One that is available has been asked, and may be again at once: what it met with says more than the others do.
  const allWait = available === 0 && coolingDown > 0;
  if (last !== undefined && !(isLimited && allWait && coolingDown + disabled > 1)) return last;
  if (allWait) {
    const message =
      usedUp === coolingDown
        ? `All credentials of the provider ${upstream} have used up their quota: try again later.`
        : `The provider ${upstream} limits the rate of its credentials, and none can be used at the moment: try again later.`;
    return { code: "rate_limited", message, retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  const message = `The provider ${upstream} has no credential that works: add one on the server.`;
  // With credentials that are all disabled it is set up, and "not found" would send clients to look for the model.
  return { code: disabled > 0 ? "unauthorized" : "not_configured", message, retryable: false };
}
