import { isPattern } from "../../kit/name-pattern.ts";
import { MoneyCounter } from "./money-counter.ts";
import { moneyLimit, type Periods, SPANS, type Span } from "./periods.ts";
import type { BudgetRule } from "./rule-book.ts";
import { isRate, type RateName, SharedRate, UNIT } from "./shared-rates.ts";
import { type MinuteLimit, TokenBucket } from "./token-bucket.ts";

/** Periods that stay in memory: the calendar may jump ahead and come back. */
const MAX_PERIODS = 8;

/** Something that is limited, and what it has in use. */
export class BudgetedNode {
  readonly kind: string;
  readonly id: string;
  rule: BudgetRule;
  requests: MinuteLimit | undefined;
  tokens: MinuteLimit | undefined;
  /** Requests that run now. */
  running = 0;
  /** Where several servers share the limits: the slots of those that run, here and elsewhere. */
  readonly slots: MoneyCounter | undefined;
  usedAt: number;
  readonly #counters = new Map<string, MoneyCounter>();
  readonly #rates = new Map<RateName, MoneyCounter>();
  readonly #isShared: boolean;
  #spans: readonly Span[] = [];
  #periods: Periods | undefined;
  #current: readonly MoneyCounter[] = [];

  /** `isShared`: by several servers. */
  constructor(kind: string, id: string, rule: BudgetRule, { now, isShared }: { now: number; isShared: boolean }) {
    this.kind = kind;
    this.id = id;
    this.rule = rule;
    this.usedAt = now;
    this.#isShared = isShared;
    this.slots = isShared ? this.#rate("running") : undefined;
    this.follow(rule, now);
  }

  /** What is in use stays in use. */
  follow(rule: BudgetRule, now: number): void {
    const { requestsPerMinute, tokensPerMinute } = rule.limits;
    this.rule = rule;
    this.requests = this.#adjusted("requests", requestsPerMinute, now);
    this.tokens = this.#adjusted("tokens", tokensPerMinute, now);
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
    if (isRate(period)) return this.#rate(period);
    const known = this.#counters.get(period);
    if (known !== undefined) return known;
    const made = new MoneyCounter(this.kind, this.id, period);
    this.#counters.set(period, made);
    return made;
  }

  get isIdle(): boolean {
    if (this.running > 0) return false;
    for (const counters of [this.#counters, this.#rates]) {
      for (const counter of counters.values()) if (!counter.isIdle) return false;
    }
    return true;
  }

  /** One request more, or one less, runs. Gives the counter that has changed where that is limited for several servers. */
  run(change: 1 | -1, now: number): MoneyCounter | undefined {
    const { slots } = this;
    this.running += change;
    if (slots === undefined) return undefined;
    slots.reserved += change * UNIT;
    slots.usedAt = now;
    // Somebody is short of it, and need not wait until it is asked back.
    if (change < 0 && now < slots.frugalUntil) slots.giveBackSlack();
    return this.rule.limits.concurrency === undefined && slots.savedHold === 0 ? undefined : slots;
  }

  #rate(name: RateName): MoneyCounter {
    const known = this.#rates.get(name);
    if (known !== undefined) return known;
    const made = new MoneyCounter(this.kind, this.id, name);
    this.#rates.set(name, made);
    return made;
  }

  #adjusted(name: "requests" | "tokens", perMinute: number | undefined, now: number): MinuteLimit | undefined {
    const known = this[name];
    if (perMinute === undefined) return undefined;
    if (known === undefined) {
      return this.#isShared ? new SharedRate(this.#rate(name), perMinute) : new TokenBucket(perMinute, now);
    }
    if (known.perMinute !== perMinute) known.changeLimit(perMinute, now);
    return known;
  }

  #dropOldPeriods(): void {
    for (const [period, counter] of this.#counters) {
      if (this.#counters.size <= MAX_PERIODS) return;
      if (counter.isIdle && !this.#current.includes(counter)) this.#counters.delete(period);
    }
  }
}
