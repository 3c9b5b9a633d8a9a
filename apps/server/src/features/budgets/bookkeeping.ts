import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { BudgetEngine } from "./engine.ts";
import type { MoneyCounter } from "./money-counter.ts";
import type { RuleBook } from "./rule-book.ts";
import type { BudgetStore, CounterAmount, HoldLease } from "./store.ts";

/** Counters in one exchange with the store: a long one would hold up the other features. */
const BATCH = 200;
/** Exchanges that fail in a row before it is told: another process's write makes one fail now and then. */
const WORRYING = 10;
/** Counters that are read at the start; those used longer ago are known after their first exchange. */
const MAX_LEARNED = 20_000;

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
  readonly #heldElsewhere = new Set<MoneyCounter>();
  /** The last exchange of any server that this one knows of. */
  #revision = 0;
  #failures = 0;

  constructor(options: BookkeepingOptions) {
    this.#options = options;
  }

  /** Tells the store what has changed. What cannot be told stays, and is told the next time. */
  async save(options: { readonly waits: boolean }): Promise<void> {
    const { engine, log } = this.#options;
    const changed = engine.takeDirty().filter((counter) => this.#hasNews(counter));
    for (let start = 0; start < changed.length; start += BATCH) {
      try {
        await this.#exchange(changed.slice(start, start + BATCH), options);
        this.#failures = 0;
      } catch (error) {
        engine.putBack(changed.slice(start));
        this.#failures += 1;
        if (this.#failures === WORRYING) {
          log.error("budgets cannot be saved; they hold in memory", { error: String(error) });
        }
        throw error;
      }
    }
  }

  /** Follows these rules, with what the store says was spent in the present periods. */
  async follow(book: RuleBook): Promise<void> {
    const { engine, store } = this.#options;
    const { spent, revision } = await store.spentIn(Object.values(engine.periods()), MAX_LEARNED);
    // In one step: nobody is let through by a rule whose money is not known yet.
    engine.follow(book);
    this.#takeSpent(spent);
    this.#revision = revision;
  }

  /** Asks the store what other servers have spent and hold, and renews what this one holds. */
  async refresh(): Promise<void> {
    const { engine, store, process } = this.#options;
    const { revision, spent, held } = await store.news(process, this.#revision, this.#lease());
    this.#revision = revision;
    this.#takeSpent(spent);
    for (const counter of this.#heldElsewhere) counter.heldElsewhere = 0;
    this.#heldElsewhere.clear();
    for (const amount of held) {
      const counter = this.#counterOf(amount);
      if (counter === undefined) continue;
      counter.heldElsewhere = amount.microUsd;
      this.#heldElsewhere.add(counter);
    }
    engine.putBack(engine.heldCounters().filter((counter) => this.#hasNews(counter)));
  }

  #takeSpent(amounts: readonly CounterAmount[]): void {
    for (const amount of amounts) {
      const counter = this.#counterOf(amount);
      if (counter !== undefined) counter.spent = amount.microUsd;
    }
  }

  #counterOf({ kind, id, period }: CounterAmount): MoneyCounter | undefined {
    return this.#options.engine.nodes.get(kind, id, this.#options.clock.monotonic())?.counter(period);
  }

  async #exchange(counters: readonly MoneyCounter[], options: { readonly waits: boolean }): Promise<void> {
    const { store, process, clock } = this.#options;
    const changes = counters.map((counter) => {
      const { kind, id, period, unsaved, reserved } = counter;
      counter.saving = unsaved;
      counter.unsaved = 0;
      return { kind, id, period, addSpent: unsaved, hold: reserved };
    });
    try {
      const balances = await store.exchange(process, changes, this.#lease(), options);
      counters.forEach((counter, index) => {
        counter.saving = 0;
        counter.savedHold = changes[index]?.hold ?? 0;
        counter.savedAt = clock.monotonic();
        const balance = balances[index];
        if (balance === undefined) return;
        counter.spent = balance.spent;
        counter.heldElsewhere = balance.heldElsewhere;
        if (balance.heldElsewhere > 0) this.#heldElsewhere.add(counter);
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
