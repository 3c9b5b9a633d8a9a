import type { Log } from "../../kit/log.ts";
import type { Clock } from "./clock.ts";
import type { BudgetEngine } from "./engine.ts";
import type { MoneyCounter } from "./money-counter.ts";
import { moneyLimit } from "./periods.ts";
import type { BudgetStore, CounterBalance, HoldLease } from "./store.ts";

/** Counters in one exchange with the store: a long one would hold up the other features. */
const BATCH = 200;
/** Other servers may spend from the budget of a node that was used this recently. */
const ACTIVE_MS = 60_000;
const MAX_ACTIVE = 500;

export type BookkeepingOptions = {
  readonly engine: BudgetEngine;
  readonly store: BudgetStore;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Tells this server's holds from those of others. */
  readonly process: string;
  readonly log: Log;
};

/**
 * Carries the engine's counters to the store and back. Its methods must not overlap: one exchange has to be over before
 * the next one reads what it wrote.
 */
export class Bookkeeping {
  readonly #options: BookkeepingOptions;
  #failing = false;

  constructor(options: BookkeepingOptions) {
    this.#options = options;
  }

  /** Tells the store what has changed. What cannot be told stays, and is told the next time. */
  async save(): Promise<void> {
    const { engine, log } = this.#options;
    const changed = engine.takeDirty().filter((counter) => this.#hasNews(counter));
    for (let start = 0; start < changed.length; start += BATCH) {
      try {
        await this.#exchange(changed.slice(start, start + BATCH));
        this.#failing = false;
      } catch (error) {
        engine.putBack(changed.slice(start));
        if (!this.#failing) log.error("budgets cannot be saved; they hold in memory", { error: String(error) });
        this.#failing = true;
        throw error;
      }
    }
  }

  /** Asks the store what other servers have spent and hold, and renews what this one holds. */
  async refresh(): Promise<void> {
    const { engine, store, process } = this.#options;
    const periods = engine.periods();
    const counters: MoneyCounter[] = [];
    for (const node of engine.nodes.usedWithin(ACTIVE_MS)) {
      const { limits } = node.rule;
      const own = node.counters(periods);
      own.forEach((counter, index) => {
        const span = node.spans[index];
        if (span !== undefined && moneyLimit(limits, span) !== undefined) counters.push(counter);
      });
    }
    const asked = counters.slice(0, MAX_ACTIVE);
    const balances = await store.balances(process, asked, this.#lease());
    asked.forEach((counter, index) => {
      take(counter, balances[index]);
    });
    engine.putBack(engine.heldCounters().filter((counter) => this.#hasNews(counter)));
  }

  async #exchange(counters: readonly MoneyCounter[]): Promise<void> {
    const { store, process, clock } = this.#options;
    const changes = counters.map((counter) => {
      const { kind, id, period, unsaved, reserved } = counter;
      counter.saving = unsaved;
      counter.unsaved = 0;
      return { kind, id, period, addSpent: unsaved, hold: reserved };
    });
    try {
      const balances = await store.exchange(process, changes, this.#lease());
      counters.forEach((counter, index) => {
        counter.saving = 0;
        counter.savedHold = changes[index]?.hold ?? 0;
        counter.savedAt = clock.monotonic();
        take(counter, balances[index]);
      });
    } catch (error) {
      for (const counter of counters) {
        counter.unsaved += counter.saving;
        counter.saving = 0;
      }
      throw error;
    }
  }

  /** Reserved and released between two exchanges: nobody else has to know. */
  #hasNews(counter: MoneyCounter): boolean {
    if (counter.unsaved !== 0 || counter.reserved !== counter.savedHold) return true;
    const age = this.#options.clock.monotonic() - counter.savedAt;
    return counter.savedHold > 0 && age > this.#options.leaseMs / 3;
  }

  #lease(): HoldLease {
    const now = this.#options.clock.wall();
    return { now, until: now + this.#options.leaseMs };
  }
}

function take(counter: MoneyCounter, balance: CounterBalance | undefined): void {
  if (balance === undefined) return;
  counter.spent = balance.spent;
  counter.heldElsewhere = balance.heldElsewhere;
}
