import { isPattern } from "../../kit/name-pattern.ts";
import { MoneyCounter } from "./money-counter.ts";
import { moneyLimit, type Periods, SPANS, type Span } from "./periods.ts";
import type { BudgetRule } from "./rule-book.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Periods that stay in memory: the calendar may jump ahead and come back. */
const MAX_PERIODS = 8;

/** Something that is limited, and what it has in use. */
export class BudgetedNode {
  readonly kind: string;
  readonly id: string;
  rule: BudgetRule;
  requests: TokenBucket | undefined;
  tokens: TokenBucket | undefined;
  /** Requests that run now. */
  running = 0;
  usedAt: number;
  readonly #counters = new Map<string, MoneyCounter>();
  #spans: readonly Span[] = [];
  #periods: Periods | undefined;
  #current: readonly MoneyCounter[] = [];

  constructor(kind: string, id: string, rule: BudgetRule, now: number) {
    this.kind = kind;
    this.id = id;
    this.rule = rule;
    this.usedAt = now;
    this.follow(rule, now);
  }

  /** What is in use stays in use. */
  follow(rule: BudgetRule, now: number): void {
    const { requestsPerMinute, tokensPerMinute } = rule.limits;
    this.rule = rule;
    this.requests = adjusted(this.requests, requestsPerMinute, now);
    this.tokens = adjusted(this.tokens, tokensPerMinute, now);
    // A node with a rule of its own counts its money always: a limit that comes later knows what was spent before.
    this.#spans = isPattern(rule.id) ? SPANS.filter((span) => moneyLimit(rule.limits, span) !== undefined) : SPANS;
    this.#periods = undefined;
  }

  /** One for each span that is counted, in their order. */
  counters(periods: Periods): readonly MoneyCounter[] {
    if (this.#periods !== periods) {
      this.#periods = periods;
      this.#current = this.#spans.map((span) => this.counter(periods[span]));
      this.#dropOldPeriods();
    }
    return this.#current;
  }

  get spans(): readonly Span[] {
    return this.#spans;
  }

  counter(period: string): MoneyCounter {
    const known = this.#counters.get(period);
    if (known !== undefined) return known;
    const made = new MoneyCounter(this.kind, this.id, period);
    this.#counters.set(period, made);
    return made;
  }

  get isIdle(): boolean {
    if (this.running > 0) return false;
    for (const counter of this.#counters.values()) {
      if (!counter.isIdle) return false;
    }
    return true;
  }

  #dropOldPeriods(): void {
    for (const [period, counter] of this.#counters) {
      if (this.#counters.size <= MAX_PERIODS) return;
      if (counter.isIdle && !this.#current.includes(counter)) this.#counters.delete(period);
    }
  }
}

function adjusted(bucket: TokenBucket | undefined, perMinute: number | undefined, now: number) {
  if (perMinute === undefined) return undefined;
  if (bucket === undefined) return new TokenBucket(perMinute, now);
  if (bucket.perMinute !== perMinute) bucket.changeLimit(perMinute, now);
  return bucket;
}
