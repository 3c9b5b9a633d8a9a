import type { Budget, BudgetLimits, BudgetSpent } from "@loom/api";
import type { BudgetNode, Budgets } from "../../gateway-types.ts";
import { type Clock, SYSTEM_CLOCK } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { isPattern } from "../../kit/name-pattern.ts";
import { createTurns } from "../../kit/turns.ts";
import { Bookkeeping, type SpendingTrace } from "./bookkeeping.ts";
import { ClockWatch } from "./clock-watch.ts";
import { BudgetEngine } from "./engine.ts";
import { LeaseDesk } from "./lease-desk.ts";
import { recoverCharges } from "./recover-charges.ts";
import { type BudgetRule, RuleBook } from "./rule-book.ts";
import type { BudgetStore } from "./store.ts";

export type BudgetService = Budgets & {
  /** Reads the limits and what was spent. Before that, every request is refused. @throws DatabaseError */
  load(): Promise<void>;
  /** Follows what other processes have changed and spent. Nothing before `load`. */
  refresh(): Promise<void>;
  /** Reads the limits again if another process has changed them. */
  refreshRules(): Promise<void>;
  /** Writes down what was spent and is held; waits for others who write. @throws DatabaseError */
  save(): Promise<void>;
  purge(): Promise<void>;
  /**
   * Charges what a process that died had not told its store, and frees what it held. Counts once, however often it is
   * called with the same.
   * @throws DatabaseError
   */
  recover(process: string, charges: readonly LostCharge[]): Promise<void>;
  /** Holds nothing any more and writes down what was spent; says whether that could be done. */
  close(): Promise<boolean>;
  list(): readonly Budget[];
  get(kind: string, id: string): Budget | undefined;
  /** In place of the limits that there were; they hold when this resolves. `label`: what people know the node as. */
  put(kind: string, id: string, limits: BudgetLimits, options?: { readonly label?: string }): Promise<Budget>;
  /** Gives what was there. */
  remove(kind: string, id: string): Promise<Budget | undefined>;
  readonly tokenIdOf: TokenIdOf;
  /** How far this server's clock is ahead of the database's, in milliseconds; 0 up to five seconds. */
  clockAheadMs(): number;
};

/** The id that stands for a token's name, or for the id itself; `undefined` where there is no such token. */
export type TokenIdOf = (idOrName: string) => Promise<string | undefined>;

export type BudgetServiceOptions = {
  readonly store: BudgetStore;
  readonly log: Log;
  readonly allowUnpriced: boolean;
  /** Who manages budgets by the names of tokens needs it; default: no name is known. */
  readonly tokenIdOf?: TokenIdOf;
  readonly clock?: Clock;
  /** Milliseconds that a request holds something if nobody touches it. Default 15 minutes. */
  readonly leaseMs?: number;
  /** Milliseconds from a change to its being written down. */
  readonly saveAfterMs?: number;
  /** What a crash of this process leaves behind for `recover`. */
  readonly trace?: SpendingTrace | undefined;
};

/** A request of a process that died. */
export type LostCharge = {
  /** Unix milliseconds. */
  readonly at: number;
  readonly nodes: readonly BudgetNode[];
  readonly model: string;
  readonly session: string | undefined;
  readonly costMicroUsd: number;
  /** The exchange in which the process was to tell its store of it; absent: it did not come to that. */
  readonly toldWith: number | undefined;
};

const LEASE_MS = 900_000;
/** What was spent is known to other servers this late; what they may spend meanwhile was set aside for them before. */
const SAVE_AFTER_MS = 200;
/** Months are asked about for longer than days, but rarely after this. */
const KEEP_MS = 400 * 86_400_000;

export function createBudgetService(options: BudgetServiceOptions): BudgetService {
  const { store, log, clock = SYSTEM_CLOCK, leaseMs = LEASE_MS, saveAfterMs = SAVE_AFTER_MS } = options;
  const engine = new BudgetEngine({ clock, leaseMs, allowUnpriced: options.allowUnpriced, onDirty: saveSoon });
  const { trace } = options;
  const watch = new ClockWatch(clock, log);
  const books = new Bookkeeping({ engine, store, clock, leaseMs, watch, trace, log });
  const inTurn = createTurns();
  const desk = new LeaseDesk({ engine, lease: (lacks) => inTurn(() => books.lease(lacks)) });
  let revision = -1;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function saveSoon(): void {
    if (closed) return;
    // What cannot be saved stays, and has set the next timer.
    timer ??= setTimeout(() => void save({ waits: false }).catch(() => {}), saveAfterMs).unref();
  }

  function save(options = { waits: true }): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    return inTurn(() => books.save(options));
  }

  const followRules = async (): Promise<void> => {
    const changed = await store.rules(revision);
    if (!engine.isReady && (await store.isShared())) engine.nodes.share();
    if (changed === undefined) return;
    await books.follow(new RuleBook(changed.rules));
    revision = changed.revision;
  };

  const budgetOf = ({ kind, id, label, limits }: BudgetRule): Budget => {
    return { kind, id, label: label ?? null, limits, spent: isPattern(id) ? null : spentBy(kind, id) };
  };

  function spentBy(kind: string, id: string): BudgetSpent {
    const node = engine.nodes.get(kind, id, clock.monotonic());
    const { day, month, total } = engine.periods();
    const settled = (period: string): number => node?.counter(period).settled ?? 0;
    return { dayMicroUsd: settled(day), monthMicroUsd: settled(month), totalMicroUsd: settled(total) };
  }

  const get = (kind: string, id: string): Budget | undefined => {
    const rule = engine.nodes.book.exact(kind, id);
    return rule && budgetOf(rule);
  };

  return {
    reserve(request) {
      const admission = engine.reserve(request);
      return "lacks" in admission ? desk.wait(request, admission.lacks) : admission;
    },
    load: () =>
      inTurn(async () => {
        await followRules();
        const askedAt = clock.wall();
        watch.compare(await store.now(), askedAt);
      }),
    clockAheadMs: () => watch.aheadMs,
    refreshRules: () => inTurn(followRules),
    async refresh() {
      if (!engine.isReady) return;
      const lapsed = engine.lapse();
      if (lapsed > 0) log.warn("reservations lapsed", { count: lapsed });
      await inTurn(async () => {
        await followRules();
        await books.refresh();
        await books.save({ waits: false });
      });
    },
    save: () => save(),
    async purge() {
      if (!engine.isReady) return;
      await inTurn(() => store.purge({ keepMs: KEEP_MS, leaseMs }));
    },
    recover: (process, charges) =>
      inTurn(async () => {
        await followRules();
        await recoverCharges({ store, engine, process, charges, leaseMs });
        await books.refresh();
      }),
    async close() {
      closed = true;
      engine.releaseAll();
      books.giveBackAll();
      const failed = (error: unknown): false => {
        log.error("what was spent last is written down by the next start", { error: String(error) });
        return false;
      };
      return save().then(() => true, failed);
    },
    list: () => engine.nodes.book.rules.map(budgetOf),
    get,
    tokenIdOf: options.tokenIdOf ?? (async () => undefined),
    async put(kind, id, limits, { label } = {}) {
      const before = engine.nodes.book.exact(kind, id);
      const rule = { kind, id: before?.id ?? id, label: label ?? before?.label, limits };
      await store.putRule(rule);
      await inTurn(followRules);
      return get(kind, id) ?? budgetOf(rule);
    },
    async remove(kind, id) {
      const existing = get(kind, id);
      if (existing === undefined) return undefined;
      await store.removeRule(kind, existing.id);
      await inTurn(followRules);
      return existing;
    },
  };
}
