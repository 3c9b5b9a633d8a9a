import { randomUUID } from "node:crypto";
import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { ClockWatch } from "./clock-watch.ts";
import type { BudgetEngine } from "./engine.ts";
import type { MoneyCounter } from "./money-counter.ts";
import type { Lack } from "./refusal.ts";
import type { RuleBook } from "./rule-book.ts";
import { isRate, leaseMsOf, UNIT } from "./shared-rates.ts";
import type { SliceNeed } from "./slice.ts";
import type { BudgetStore, CounterAmount, CounterBalance, CounterChange, CounterKey } from "./store.ts";

/** Counters in one exchange with the store: a long one would hold up the other features. */
const BATCH = 200;
/** Exchanges that fail in a row before it is told: another process's write makes one fail now and then. */
const WORRYING = 10;
/** Counters that are read at the start; those used longer ago are known after their first exchange. */
const MAX_LEARNED = 20_000;
/** The free part of a slice that nobody has used for so long goes back. */
const IDLE_MS = 5_000;
const FRUGAL_MS = 10_000;
/** How long an answer that there is not enough is believed: others settle for less than they held. */
const LEFT_MS = 250;

export type BookkeepingOptions = {
  readonly engine: BudgetEngine;
  readonly store: BudgetStore;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly watch: ClockWatch;
  /** Hears, before the store does, that it is about to be told what all requests cost that have ended until then. */
  readonly trace?: SpendingTrace | undefined;
  readonly log: Log;
};

export type SpendingTrace = {
  /** The name under which this process is found if it dies; it changes where another one has taken it for dead. */
  readonly process: string;
  telling(sequence: number): void;
  told(): void;
  /** Another server has taken this one for dead: gives the name that it has from now on. */
  rename(): string;
};

/**
 * Carries the engine's counters to the store and back, and slices of what is left from the store. Its methods must not
 * overlap: one exchange has to be over before the next one reads what it wrote.
 */
export class Bookkeeping {
  readonly #options: BookkeepingOptions;
  readonly #heldElsewhere = new Set<MoneyCounter>();
  /** Those of which the store holds something for this process. */
  readonly #holding = new Set<MoneyCounter>();
  /** The last exchange of any server that this one knows of. */
  #revision = 0;
  #failures = 0;
  #sequence = 0;
  /** Tells this server's holds from those of others. */
  #process: string;
  /** An exchange that may have been committed although nothing was heard of it: told again under the same number. */
  #unheard: readonly MoneyCounter[] = [];

  constructor(options: BookkeepingOptions) {
    this.#options = options;
    this.#process = options.trace?.process ?? randomUUID();
  }

  /** Tells the store what has changed. What cannot be told stays, and is told the next time. */
  async save(options: { readonly waits: boolean }): Promise<void> {
    await this.#tellAgain(options);
    await this.#tell([], options);
  }

  /** Asks the store for slices of these; what they are told then is in the counters. */
  async lease(lacks: readonly Lack[]): Promise<void> {
    const now = this.#options.clock.monotonic();
    const needs = new Map<MoneyCounter, SliceNeed>();
    for (const { counter, cost } of lacks) {
      const { total = 0, least = Number.POSITIVE_INFINITY } = needs.get(counter) ?? {};
      const frugal = now < counter.frugalUntil;
      needs.set(counter, {
        total: total + cost,
        least: Math.min(least, cost),
        frugal,
        unit: isRate(counter.period) ? UNIT : 1,
      });
    }
    await this.#tellAgain({ waits: true });
    await this.#tell([...needs.keys()], { waits: true }, needs);
  }

  /**
   * These counters, and all that have changed. One exchange tells everything, so that after a crash it is known of each
   * request whether the store has heard of it; only of more than 200 counters at once some may be counted again then.
   */
  async #tell(
    asked: readonly MoneyCounter[],
    options: { readonly waits: boolean },
    needs?: ReadonlyMap<MoneyCounter, SliceNeed>,
  ): Promise<void> {
    const { engine, trace } = this.#options;
    if (trace !== undefined) this.#process = trace.process;
    const changed = engine.takeDirty().filter((counter) => this.#hasNews(counter) && needs?.has(counter) !== true);
    const counters = [...asked, ...changed];
    trace?.telling(this.#sequence + Math.ceil(counters.length / BATCH));
    for (let start = 0; start < counters.length; start += BATCH) {
      try {
        await this.#exchange(counters.slice(start, start + BATCH), options, needs);
      } catch (error) {
        engine.putBack(counters.slice(start + BATCH));
        throw error;
      }
    }
    trace?.told();
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

  /**
   * Asks the store what other servers have spent, hold and are short of; gives back what is not used, and renews what is
   * held.
   */
  async refresh(): Promise<void> {
    const { engine, store, clock, leaseMs, watch } = this.#options;
    const askedAt = clock.wall();
    const {
      revision,
      spent,
      held,
      wanted,
      now: databaseNow,
    } = await store.news(this.#process, this.#revision, leaseMs);
    watch.compare(databaseNow, askedAt);
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
    const now = clock.monotonic();
    for (const key of wanted) {
      const counter = this.#counterOf(key);
      if (counter === undefined) continue;
      counter.frugalUntil = now + FRUGAL_MS;
      counter.giveBackSlack();
      // Told even where nothing can be given: the others have to know that it is in use.
      counter.savedHold = Number.NaN;
    }
    for (const counter of this.#holding) if (now - counter.usedAt > IDLE_MS) counter.giveBackSlack();
    engine.putBack([...this.#holding].filter((counter) => this.#hasNews(counter)));
  }

  /** Nothing more will be asked of this server. */
  giveBackAll(): void {
    for (const counter of this.#holding) counter.giveBackSlack();
    this.#options.engine.putBack([...this.#holding]);
  }

  #takeSpent(amounts: readonly CounterAmount[]): void {
    for (const amount of amounts) {
      const counter = this.#counterOf(amount);
      // The store knows already what is on its way; how much of it, only the exchange itself says.
      if (counter === undefined || counter.saving !== 0) continue;
      counter.spent = amount.microUsd;
      counter.spentAt = this.#options.clock.monotonic() - (amount.ageMs ?? 0);
    }
  }

  #counterOf({ kind, id, period }: CounterKey): MoneyCounter | undefined {
    return this.#options.engine.nodes.get(kind, id, this.#options.clock.monotonic())?.counter(period);
  }

  async #tellAgain(options: { readonly waits: boolean }): Promise<void> {
    if (this.#unheard.length > 0) await this.#exchange(this.#unheard, options);
  }

  async #exchange(
    counters: readonly MoneyCounter[],
    options: { readonly waits: boolean },
    needs?: ReadonlyMap<MoneyCounter, SliceNeed>,
  ): Promise<void> {
    const { clock, engine } = this.#options;
    const isRepeated = this.#unheard === counters;
    if (!isRepeated) this.#sequence += 1;
    const sentAt = clock.monotonic();
    const changes = counters.map((counter) => {
      const { kind, id, period, reserved } = counter;
      if (!isRepeated) {
        counter.saving = counter.unsaved;
        counter.unsaved = 0;
        counter.returning = counter.returned;
        counter.returned = 0;
      }
      const need = needs?.get(counter);
      const limit = engine.limitOf(counter);
      const addSpent = counter.saving - counter.returning;
      return { kind, id, period, addSpent, inUse: reserved, hold: counter.hold, limit, need };
    });
    try {
      const balances = await this.#send(changes, options);
      this.#unheard = [];
      this.#failures = 0;
      counters.forEach((counter, index) => {
        const balance = balances[index];
        if (balance === undefined) return;
        this.#take(counter, { ...balance, limit: changes[index]?.limit, sentAt, need: changes[index]?.need });
      });
      if (isRepeated) engine.putBack(counters.filter((counter) => this.#hasNews(counter)));
    } catch (error) {
      this.#unheard = counters;
      engine.putBack(counters);
      this.#failures += 1;
      if (this.#failures === WORRYING) {
        this.#options.log.error("budgets cannot be saved; they hold in memory", { error: String(error) });
      }
      throw error;
    }
  }

  async #send(
    changes: readonly CounterChange[],
    options: { readonly waits: boolean },
  ): Promise<readonly CounterBalance[]> {
    const { store, trace, log, leaseMs } = this.#options;
    const send = () => store.exchange({ process: this.#process, sequence: this.#sequence, changes, leaseMs }, options);
    const balances = await send();
    if (balances !== undefined) return balances;
    log.warn("another server has taken this one for dead: what it tells from now on is told under a new name");
    this.#process = trace?.rename() ?? randomUUID();
    const again = await send();
    if (again === undefined) throw new Error("the new name was taken for dead, too");
    return again;
  }

  #take(counter: MoneyCounter, told: Told): void {
    const { spent, heldElsewhere, slackElsewhere, hold, limit, sentAt, need } = told;
    counter.saving = 0;
    counter.returning = 0;
    counter.spent = spent;
    counter.spentAt = sentAt;
    counter.heldElsewhere = heldElsewhere;
    counter.slackElsewhere = slackElsewhere;
    if (heldElsewhere > 0) this.#heldElsewhere.add(counter);
    counter.leased = limit === undefined ? 0 : hold;
    counter.leasedOf = limit;
    counter.leasedUntil = sentAt + (leaseMsOf(counter.period, this.#options.leaseMs) * 2) / 3;
    counter.savedHold = hold;
    counter.savedAt = sentAt;
    if (hold > 0) this.#holding.add(counter);
    else this.#holding.delete(counter);
    if (need !== undefined && limit !== undefined) {
      const now = this.#options.clock.monotonic();
      counter.left = limit - spent - heldElsewhere - hold;
      counter.leftAt = sentAt;
      counter.leftUntil = now + LEFT_MS;
      counter.usedAt = now;
      if (slackElsewhere > 0 && counter.left < need.unit) counter.frugalUntil = now + FRUGAL_MS;
    }
  }

  /** What stays within the slice nobody else has to know. */
  #hasNews(counter: MoneyCounter): boolean {
    if (counter.unsaved !== 0 || counter.saving !== 0) return true;
    if (counter.returned !== 0 || counter.returning !== 0 || counter.hold !== counter.savedHold) return true;
    const age = this.#options.clock.monotonic() - counter.savedAt;
    return counter.savedHold > 0 && age > leaseMsOf(counter.period, this.#options.leaseMs) / 3;
  }
}

type Told = {
  readonly spent: number;
  readonly heldElsewhere: number;
  readonly slackElsewhere: number;
  readonly hold: number;
  readonly limit: number | undefined;
  readonly sentAt: number;
  readonly need: SliceNeed | undefined;
};
