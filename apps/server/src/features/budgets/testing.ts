// What the tests of budgets share: a real database in a temporary directory, and clocks that go when they are told to.
import type { Admission, BudgetNode, Reservation } from "../../gateway-types.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Database } from "../../kit/database.ts";
import { clockThatSays } from "../../kit/database-clock.ts";
import { type Engine, testDatabase } from "../../kit/engines.testing.ts";
import { type Log, SILENT_LOG } from "../../kit/log.ts";
import type { SpendingTrace } from "./bookkeeping.ts";
import { migrations } from "./migrations.ts";
import { type BudgetService, createBudgetService } from "./service.ts";
import { type BudgetExchange, type BudgetStore, createBudgetStore } from "./store.ts";

export const OWNER_NODES: readonly BudgetNode[] = [{ kind: "token", id: "owner" }];
export const NO_TOKENS = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  cacheWriteLongTokens: 0,
  reasoningTokens: 0,
};
export const USD = 1_000_000;
/** A timer that never comes: tests save when they say so. */
const NEVER_MS = 2_147_483_647;

/** `databaseMs`: what the clock of the database says. */
export type TestClock = Clock & { wallMs: number; monotonicMs: number; databaseMs: number; pass(ms: number): void };

export function testClock(start = Date.UTC(2026, 10, 20, 12)): TestClock {
  return {
    wallMs: start,
    monotonicMs: 1_000,
    databaseMs: start,
    wall() {
      return this.wallMs;
    },
    monotonic() {
      return this.monotonicMs;
    },
    pass(ms) {
      this.wallMs += ms;
      this.monotonicMs += ms;
      this.databaseMs += ms;
    },
  };
}

/** `wall` and `monotonic` are called without their object. */
export function boundClock(clock: TestClock): Clock {
  return { wall: () => clock.wallMs, monotonic: () => clock.monotonicMs };
}

type ServerOptions = {
  readonly allowUnpriced?: boolean;
  readonly leaseMs?: number;
  /** How far the server's own clock is ahead. */
  readonly aheadMs?: number;
  readonly log?: Log;
  /** Told what of the period `total` this server has written down. */
  readonly onSaved?: (microUsd: number) => void;
  /** Before it reaches the store; may throw. */
  readonly onExchange?: (exchange: BudgetExchange) => void;
  readonly trace?: SpendingTrace;
};

export type TestBudgets = {
  readonly clock: TestClock;
  readonly database: Database;
  /** The tables, with the time that `clock` says. */
  store(): BudgetStore;
  /** One more server on the same database; it has read its limits. */
  server(options?: ServerOptions): Promise<BudgetService>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function testBudgets(engine: Engine): Promise<TestBudgets> {
  const home = await testDatabase(engine, [{ feature: "budgets", migrations }]);
  const database = await home.open();
  const clock = testClock();
  const openStore = () =>
    createBudgetStore(
      async () => database,
      clockThatSays(() => clock.databaseMs),
    );
  return {
    clock,
    database,
    store: openStore,
    async server({
      allowUnpriced = false,
      leaseMs,
      onSaved = () => {},
      onExchange = () => {},
      trace,
      aheadMs = 0,
      log = SILENT_LOG,
    } = {}) {
      const store = openStore();
      const service = createBudgetService({
        store: {
          ...store,
          async exchange(exchange, options) {
            onExchange(exchange);
            const balances = await store.exchange(exchange, options);
            for (const { period, addSpent } of exchange.changes) if (period === "total") onSaved(addSpent);
            return balances;
          },
        },
        log,
        allowUnpriced,
        clock: { ...boundClock(clock), wall: () => clock.wallMs + aheadMs },
        saveAfterMs: NEVER_MS,
        trace,
        ...(leaseMs === undefined ? {} : { leaseMs }),
      });
      await service.load();
      return service;
    },
    async [Symbol.asyncDispose]() {
      await home[Symbol.asyncDispose]();
    },
  };
}

export type Wish = {
  readonly nodes?: readonly BudgetNode[];
  readonly model?: string;
  readonly session?: string;
  /** The field by which the provider may take another model. */
  readonly choice?: string;
  readonly tokens?: number;
  /** Micro-dollars; `null`: nobody knows. */
  readonly cost?: number | null;
  /** Of the attempt before. */
  readonly after?: Reservation;
};

export function ask(budgets: Pick<BudgetService, "reserve">, wish: Wish = {}): Admission | Promise<Admission> {
  const { nodes = OWNER_NODES, model = "claude-opus-5", session, choice, tokens = 0, cost = 0, after } = wish;
  return budgets.reserve({
    nodes,
    model,
    ...(session === undefined ? {} : { session }),
    choice,
    after,
    worst: { inputTokens: tokens, outputTokens: 0, ...(cost === null ? {} : { costMicroUsd: cost }) },
  });
}

export function admitted(admission: Admission): Extract<Admission, { ok: true }> {
  if (!admission.ok) throw new Error(`Refused: ${admission.message}`);
  return admission;
}

export function refused(admission: Admission): Extract<Admission, { ok: false }> {
  if (admission.ok) throw new Error("Was let through.");
  return admission;
}

export function costing(costMicroUsd: number, tokens = 0) {
  return { usage: { ...NO_TOKENS, inputTokens: tokens }, costMicroUsd };
}
