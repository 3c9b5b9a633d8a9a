import type { LlmErrorCode, LlmFailure } from "@loom/core";
import type { CredentialLease, CredentialOutcome, Credentials } from "../../gateway-types.ts";
import type { Clock } from "../../kit/clock.ts";
import { GOOD_STANDING, type PoolMember, QUOTA_USED_UP, type RequestHeaders, type Standing } from "./pool-member.ts";
import { attraction, hashText } from "./rendezvous.ts";

/** How requests without an affinity are spread: in turn, or to whoever has the fewest in flight. Both by weight. */
export type Selection = "round-robin" | "least-loaded";

export type PoolOptions = {
  readonly clock: Clock;
  readonly selectionOf: (upstream: string) => Selection;
  /** A member has cooled down, or was disabled, by what was reported about it. Must be cheap: a request waits for it. */
  readonly onTrouble: (member: PoolMember) => void;
};

/** A used-up quota that does not say when it renews. */
const QUOTA_MS = 2 * 60 * 60 * 1000;

/** Failures in a row before others are preferred; then for 1 s, 2 s, 4 s... */
const PATIENCE = 2;
const FIRST_REST_MS = 1_000;
const MAX_REST_MS = 60_000;

/** Those that may have to do with the credential. Others say that the provider took it and did not like the request. */
const COUNTED: ReadonlySet<LlmErrorCode> = new Set([
  "network",
  "timeout",
  "overloaded",
  "rate_limited",
  "invalid_response",
]);

/**
 * The credentials of all upstreams and how they do. Everything is decided in memory, and nothing waits.
 *
 * A member that fails again and again rests: others come first, but where all rest, they go on being used, because a
 * provider in trouble is no reason to refuse everybody. One that cools down or is disabled is not used at all.
 */
export class CredentialPool implements Credentials {
  readonly #options: PoolOptions;
  readonly #upstreams = new Map<string, PoolMember[]>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  lease(
    upstream: string,
    { affinity, exclude }: { readonly affinity?: string | undefined; readonly exclude?: readonly string[] | undefined },
  ): CredentialLease | undefined {
    const members = this.#upstreams.get(upstream);
    if (members === undefined) return undefined;
    const now = this.#options.clock.monotonic();
    const thing = affinity === undefined ? undefined : hashText(affinity);
    const member =
      this.#select(members, now, { upstream, thing, exclude, resting: false }) ??
      this.#select(members, now, { upstream, thing, exclude, resting: true });
    if (member === undefined) return undefined;
    member.inFlight += 1;
    return new Lease(member, this);
  }

  health(upstream: string): ReturnType<Credentials["health"]> {
    const now = this.#options.clock.monotonic();
    const counts = { available: 0, coolingDown: 0, disabled: 0 };
    let usedUp = 0;
    let soonest = Number.POSITIVE_INFINITY;
    for (const member of this.#upstreams.get(upstream) ?? []) {
      const state = member.state(now);
      if (state === "available") counts.available += 1;
      else if (state === "disabled") counts.disabled += 1;
      else {
        counts.coolingDown += 1;
        if (member.standing.reason === QUOTA_USED_UP) usedUp += 1;
        soonest = Math.min(soonest, member.coolUntil - now);
      }
    }
    return counts.coolingDown === 0 ? counts : { ...counts, usedUp, retryAfterMs: Math.ceil(soonest) };
  }

  /** Upstreams with members. */
  upstreams(): readonly string[] {
    return [...this.#upstreams.keys()];
  }

  /** `standing` is one from before a restart, or from another process. */
  add(member: PoolMember, standing: Standing): void {
    const members = this.#upstreams.get(member.upstream);
    if (members === undefined) this.#upstreams.set(member.upstream, [member]);
    else members.push(member);
    this.place(member, standing);
  }

  remove(member: PoolMember): void {
    const left = this.#upstreams.get(member.upstream)?.filter((each) => each !== member) ?? [];
    if (left.length === 0) this.#upstreams.delete(member.upstream);
    else this.#upstreams.set(member.upstream, left);
    member.generation += 1;
  }

  /** Somebody has decided how a member stands: what was counted against it is forgotten. */
  place(member: PoolMember, standing: Standing): void {
    const { wall, monotonic } = this.#options.clock;
    const coolingMs = standing.state === "cooling_down" ? Math.max(0, (standing.until ?? 0) - wall()) : 0;
    member.standing = standing;
    member.coolUntil = coolingMs === 0 ? 0 : monotonic() + coolingMs;
    member.failures = 0;
    member.restUntil = 0;
    member.turn = 0;
  }

  stateOf(member: PoolMember): Standing {
    const state = member.state(this.#options.clock.monotonic());
    return state === "available" ? GOOD_STANDING : member.standing;
  }

  disable(member: PoolMember, reason: string): void {
    if (member.standing.state === "disabled") return;
    member.standing = { state: "disabled", reason, since: this.#options.clock.wall(), until: undefined };
    member.coolUntil = 0;
    this.#options.onTrouble(member);
  }

  /** It could not even be used: others come first for a while. */
  count(member: PoolMember): void {
    member.failures += 1;
    if (member.failures < PATIENCE) return;
    const restMs = Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** Math.min(member.failures - PATIENCE, 16));
    member.restUntil = this.#options.clock.monotonic() + restMs;
  }

  /** What a lease reports about the secret that it was made with. */
  judge(member: PoolMember, outcome: CredentialOutcome): void {
    if (member.keyless) member.source.report?.(outcome);
    else if (outcome.type === "ok") {
      member.failures = 0;
      member.restUntil = 0;
    } else if (outcome.type === "failed") this.#blame(member, outcome.failure, outcome.quotaExhausted);
  }

  #blame(member: PoolMember, failure: LlmFailure, quotaExhausted: boolean): void {
    const { code, status, retryAfterMs } = failure;
    if (code === "unauthorized") {
      if (member.source.refused()) this.count(member);
      else this.disable(member, `The provider refused it${status === undefined ? "" : ` (HTTP ${status})`}.`);
    } else if (quotaExhausted || code === "budget_exceeded") {
      this.#cool(member, retryAfterMs ?? QUOTA_MS, QUOTA_USED_UP);
    } else if (code === "rate_limited" && retryAfterMs !== undefined) {
      this.#cool(member, retryAfterMs, "The provider limits its rate.");
    } else if (COUNTED.has(code)) this.count(member);
  }

  #cool(member: PoolMember, forMs: number, reason: string): void {
    const { monotonic, wall } = this.#options.clock;
    const until = monotonic() + forMs;
    if (member.standing.state === "disabled" || member.coolUntil >= until) return;
    const since = wall();
    member.coolUntil = until;
    member.standing = { state: "cooling_down", reason, since, until: since + forMs };
    this.#options.onTrouble(member);
  }

  #select(
    members: readonly PoolMember[],
    now: number,
    wish: {
      readonly upstream: string;
      readonly thing: number | undefined;
      readonly exclude: readonly string[] | undefined;
      readonly resting: boolean;
    },
  ): PoolMember | undefined {
    const { thing, exclude } = wish;
    const leastLoaded = thing === undefined && this.#options.selectionOf(wish.upstream) === "least-loaded";
    let best: PoolMember | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (const member of members) {
      if (member.state(now) !== "available" || member.restUntil > now !== wish.resting) continue;
      if (exclude?.includes(member.id) === true) continue;
      let score: number;
      if (thing === undefined) {
        member.turn += member.weight;
        total += member.weight;
        score = leastLoaded ? -member.inFlight / member.weight : member.turn;
      } else score = attraction(thing, member.place, member.weight);
      // Among those with the same load, whoever's turn it is.
      if (score > bestScore || (leastLoaded && score === bestScore && member.turn > (best?.turn ?? 0))) {
        best = member;
        bestScore = score;
      }
    }
    if (best !== undefined && thing === undefined) best.turn -= total;
    return best;
  }
}

class Lease implements CredentialLease {
  readonly credentialId: string;
  readonly #member: PoolMember;
  readonly #pool: CredentialPool;
  readonly #generation: number;
  #reported = false;
  /** Its headers could not be had: whatever is reported then is not about what the provider thinks of it. */
  #unusable = false;

  constructor(member: PoolMember, pool: CredentialPool) {
    this.credentialId = member.id;
    this.#member = member;
    this.#pool = pool;
    this.#generation = member.generation;
  }

  headers(): RequestHeaders | Promise<RequestHeaders> {
    const headers = this.#member.source.headers();
    if (!(headers instanceof Promise)) return headers;
    return headers.catch((error: unknown) => {
      if (!this.#unusable) this.#pool.count(this.#member);
      this.#unusable = true;
      throw error;
    });
  }

  report(outcome: CredentialOutcome): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#member.inFlight -= 1;
    if (!this.#unusable && this.#generation === this.#member.generation) this.#pool.judge(this.#member, outcome);
  }
}
