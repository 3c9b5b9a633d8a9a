// Limits per minute and of requests at once, where several servers share them on one PostgreSQL: counters like those of
// money (money-counter.ts, exchange.ts), in slices with leases, under names of their own in place of a period's.
// - A slot is held while its request runs, and nothing is ever spent: limit >= what all servers hold.
// - What a minute's limit was used for is spent, and what is spent drains away evenly, the whole limit in a minute, by the
//   database's clock: limit >= spent + what all servers hold. All servers together let through what one bucket would.
// A limit that is small or near its end is lent in single requests, so that a server asks before it refuses; where it is
// refused, the others see that somebody is short of what they hold, and give back within a second what they do not use.
// A dead server's slices lapse after a minute. SQLite has one server: token-bucket.ts and a number suffice there.
import type { BudgetLimits } from "@loom/api";
import type { MoneyCounter } from "./money-counter.ts";
import type { MinuteLimit } from "./token-bucket.ts";

/** Rates are counted in millionths of a request, a token or a slot: what drains in a fraction of a second is not rounded away. */
export const UNIT = 1_000_000;
/** More than anybody uses, and two of it are still exact numbers. */
const MOST = 2 ** 52;
const MINUTE_MS = 60_000;
const LEASE_MS = 60_000;

const LIMITS = { requests: "requestsPerMinute", tokens: "tokensPerMinute", running: "concurrency" } as const;

export type RateName = keyof typeof LIMITS;

/** Whether a counter is one of a rate, and not of money in a period. */
export function isRate(period: string): period is RateName {
  return Object.hasOwn(LIMITS, period);
}

/** In millionths. */
export function rateLimit(limits: BudgetLimits, name: RateName): number | undefined {
  const limit = limits[LIMITS[name]];
  return limit === undefined ? undefined : inUnits(limit);
}

export function inUnits(amount: number): number {
  return Math.min(amount * UNIT, MOST);
}

/** Millionths that drain in a millisecond; 0 for money and slots. */
export function drainOf(period: string, limit: number | undefined): number {
  return limit !== undefined && (period === "requests" || period === "tokens") ? limit / MINUTE_MS : 0;
}

/** What is left of `spent` after so many milliseconds, in whole millionths. Rounded down: up would add up, one exchange after the other. */
export function drained(spent: number, perMs: number, passedMs: number): number {
  if (perMs === 0) return spent;
  return Math.max(0, Math.floor(spent - perMs * Math.max(0, passedMs)));
}

/** How long a slice counts whose server says nothing more. A lost slot is missed sooner than money. */
export function leaseMsOf(period: string, leaseMs: number): number {
  return isRate(period) ? Math.min(leaseMs, LEASE_MS) : leaseMs;
}

/** A minute's limit of which this process has a slice. What is told to the store has to be marked as changed. */
export class SharedRate implements MinuteLimit {
  readonly counter: MoneyCounter;
  perMinute: number;

  constructor(counter: MoneyCounter, perMinute: number) {
    this.counter = counter;
    this.perMinute = perMinute;
    this.changeLimit(perMinute);
  }

  changeLimit(perMinute: number): void {
    this.perMinute = perMinute;
    this.counter.drainPerMs = drainOf(this.counter.period, inUnits(perMinute));
  }

  /** Of the whole limit, as far as this process knows; what others hold and have not used counts as there. */
  level(now: number): number {
    return this.perMinute - this.counter.used(now) / UNIT;
  }

  waitFor(amount: number, now: number, returned = 0): number {
    const missing = Math.min(amount, this.perMinute) - (this.level(now) + returned);
    return missing <= 0 ? 0 : Math.ceil((missing / this.perMinute) * MINUTE_MS);
  }

  untilFull(now: number): number {
    return this.waitFor(this.perMinute, now);
  }

  take(amount: number, returned = 0): number {
    const taken = Math.min(amount, this.perMinute);
    this.#add(taken - returned);
    return taken;
  }

  correct(taken: number, actual: number): void {
    this.#add(actual - taken);
  }

  #add(amount: number): void {
    if (amount > 0) this.counter.unsaved += inUnits(amount);
    else {
      this.counter.returned += inUnits(-amount);
      // What the store said was left, is no longer all.
      this.counter.leftUntil = 0;
    }
  }
}
