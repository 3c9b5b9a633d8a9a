import type { LlmFailure } from "@loom/core";
import type { CredentialLease, Credentials, RoutePlan, RouteStep } from "../../gateway-types.ts";

/** Requests to upstreams for one request of a client, all together. */
const MAX_ATTEMPTS = 4;

/** Before the same upstream is asked again, in milliseconds; with up to half as much more, by chance. */
const SAME_AGAIN_MS = 100;

export type NextAttempt =
  | { readonly type: "try"; readonly step: RouteStep; readonly lease: CredentialLease; readonly delayMs: number }
  /** Nobody is left; the failure is the last one that an upstream gave, if there was one. */
  | { readonly type: "give_up"; readonly failure: LlmFailure };

/**
 * Whom to ask next: every step of the route, on each with another credential where the credential was the trouble. The
 * same upstream with the same credential is asked twice only where it never got the request: clients try again by
 * themselves, and two layers that do so ask many times.
 */
export class Attempts {
  readonly #steps: readonly RouteStep[];
  readonly #credentials: Credentials;
  readonly #affinity: string | undefined;
  readonly #spent: string[] = [];
  #index = 0;
  #failure: LlmFailure | undefined;
  #delayMs = 0;
  #again = false;
  count = 0;

  constructor(plan: RoutePlan & { readonly ok: true }, credentials: Credentials, affinity: string | undefined) {
    this.#steps = plan.steps;
    this.#credentials = credentials;
    this.#affinity = affinity;
  }

  next(): NextAttempt {
    while (this.count < MAX_ATTEMPTS) {
      const step = this.#steps[this.#index];
      if (step === undefined) break;
      const lease = this.#credentials.lease(step.upstream, {
        ...(this.#affinity === undefined ? {} : { affinity: this.#affinity }),
        exclude: this.#spent,
      });
      if (lease !== undefined) {
        this.count += 1;
        const delayMs = this.#delayMs;
        this.#delayMs = 0;
        return { type: "try", step, lease, delayMs };
      }
      this.#failure = noCredential(step, this.#credentials, this.#failure);
      this.#index += 1;
    }
    return { type: "give_up", failure: this.#failure ?? NO_ROUTE };
  }

  /**
   * Takes note of a failed attempt. Says whether another one makes sense.
   * @param reached whether the upstream may have seen the request.
   */
  failed(lease: CredentialLease, failure: LlmFailure, { reached }: { readonly reached: boolean }): boolean {
    this.#failure = failure;
    if (this.count >= MAX_ATTEMPTS) return false;
    switch (failure.code) {
      case "unauthorized":
      case "budget_exceeded":
      case "rate_limited":
        this.#spent.push(lease.credentialId);
        return true;
      case "unknown_model":
        this.#index += 1;
        return this.#index < this.#steps.length;
      default:
        return failure.retryable && this.#elsewhere(failure, reached);
    }
  }

  #elsewhere(failure: LlmFailure, reached: boolean): boolean {
    if (this.#index + 1 < this.#steps.length) {
      this.#index += 1;
      return true;
    }
    // A kept connection that the other side had closed looks like one that broke.
    const unseen = failure.code === "network" && (!reached || failure.status === undefined);
    if (this.#again || !unseen) return false;
    this.#again = true;
    this.#delayMs = SAME_AGAIN_MS * (1 + Math.random() / 2);
    return true;
  }
}

const NO_ROUTE: LlmFailure = {
  code: "not_configured",
  message: "No provider is set up for this model.",
  retryable: false,
};

/** `last`: what the last credential met with. Where there are several, all of them together say when to come back. */
function noCredential({ upstream }: RouteStep, credentials: Credentials, last: LlmFailure | undefined): LlmFailure {
  const { available, coolingDown, disabled, retryAfterMs } = credentials.health(upstream);
  const usedUp = last?.code === "rate_limited" || last?.code === "budget_exceeded";
  if (last !== undefined && !(usedUp && coolingDown > 0 && available + coolingDown + disabled > 1)) return last;
  if (coolingDown > 0) {
    const message = `All credentials of the provider ${upstream} have used up their quota: try again later.`;
    return { code: "rate_limited", message, retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  const message = `The provider ${upstream} has no credential that works: add one on the server.`;
  return { code: "not_configured", message, retryable: false };
}
