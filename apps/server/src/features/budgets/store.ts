import type { BudgetLimits } from "@loom/api";
import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import { type DatabaseClock, databaseClock } from "../../kit/database-clock.ts";
import { exchangeIn, heldElsewhere, horizon, latest, leaseOf } from "./exchange.ts";
import type { BudgetTables } from "./migrations.ts";
import type { BudgetRule } from "./rule-book.ts";
import type { SliceNeed } from "./slice.ts";

/** `period`: of money; or the name of a rate (`shared-rates.ts`), whose amounts are millionths in place of micro-dollars. */
export type CounterKey = { readonly kind: string; readonly id: string; readonly period: string };

/** What one process has to say about a counter, in micro-dollars. */
export type CounterChange = CounterKey & {
  /** Settled since it last said something; of a rate also negative: what came back. */
  readonly addSpent: number;
  /** What its requests hold now. */
  readonly inUse: number;
  /** What should be set aside for it, what its requests hold included, in place of what was before. */
  readonly hold: number;
  readonly limit: number | undefined;
  /** What it has to have in addition. */
  readonly need: SliceNeed | undefined;
};

export type CounterBalance = CounterKey & {
  /** Settled by all processes. */
  readonly spent: number;
  /** Set aside for the other processes whose lease is not over, and what of it their requests do not hold. */
  readonly heldElsewhere: number;
  readonly slackElsewhere: number;
  /** Set aside for this one from now on. */
  readonly hold: number;
};

export type BudgetExchange = {
  readonly process: string;
  /** Of this process, growing. The same number again: the same `addSpent`, which counts once. */
  readonly sequence: number;
  readonly changes: readonly CounterChange[];
  /** How long what is set aside counts if the process says nothing more, in milliseconds of the database's clock. */
  readonly leaseMs: number;
};

/** `ageMs`: since it was so much; what a rate has spent drains from then on. */
export type CounterAmount = CounterKey & { readonly microUsd: number; readonly ageMs?: number };

export type BudgetNews = {
  readonly revision: number;
  readonly spent: readonly CounterAmount[];
  readonly held: readonly CounterAmount[];
  /** What is set aside for this process and other ones are short of. */
  readonly wanted: readonly CounterKey[];
  /** Unix milliseconds of the database's clock. */
  readonly now: number;
};

/**
 * The counters that several servers share. Each server tells what it has settled, in batches, and is lent slices of what
 * is left; between two exchanges it decides by what it was lent.
 */
export type BudgetStore = {
  /** Unix milliseconds of the clock by which leases end. */
  now(): Promise<number>;
  /** Whether several servers may use it at once. */
  isShared(): Promise<boolean>;
  /** Nothing where no rule has changed since `revision`. */
  rules(revision: number): Promise<{ readonly revision: number; readonly rules: readonly BudgetRule[] } | undefined>;
  putRule(rule: BudgetRule): Promise<void>;
  removeRule(kind: string, id: string): Promise<void>;
  /**
   * All changes or none; the balances are those after all of them, in the same order. At most 500. What is settled and
   * set aside stays within each limit, whoever asks at once. `waits`: for other processes' writes; else it fails where it
   * would have to wait. `undefined`: this process was taken for dead, what it had not told is charged, and nothing more
   * is in its name.
   */
  exchange(
    exchange: BudgetExchange,
    options: { readonly waits: boolean },
  ): Promise<readonly CounterBalance[] | undefined>;
  /** What has changed since the exchange `revision`, and what other processes hold now. */
  news(process: string, revision: number, leaseMs: number): Promise<BudgetNews>;
  /** Of these periods, the latest `limit`; and the last exchange that they know of. */
  spentIn(periods: readonly string[], limit: number): Promise<Pick<BudgetNews, "revision" | "spent">>;
  /** The last exchange of a process that was committed; 0 where there was none. */
  sequenceOf(process: string): Promise<number>;
  /** Of a process that has died. */
  releaseHolds(process: string): Promise<void>;
  /** Forgets what ended more than `keepMs` ago, and holds whose lease is over. */
  purge(options: { readonly keepMs: number; readonly leaseMs: number }): Promise<void>;
};

const MAX_NEWS = 5_000;
/** Who cuts slices from the same money does it one after the other. */
const LOCK = "budgets";
const PATIENCE_MS = 5_000;

type Tables = Kysely<BudgetTables>;

export function createBudgetStore(
  database: () => Promise<Database>,
  clock: DatabaseClock = databaseClock,
): BudgetStore {
  const tables = async (): Promise<Tables> => (await database()).tables<BudgetTables>();
  const nowIn = async (db: Tables, opened: Database): Promise<number> =>
    (await db.selectNoFrom(clock(opened).as("now")).executeTakeFirstOrThrow()).now;
  const writeRule = async (rule: Omit<BudgetRule, "limits"> & { readonly limits: BudgetLimits | undefined }) => {
    const { kind, id, label = null } = rule;
    const limits = rule.limits === undefined ? null : JSON.stringify(rule.limits);
    await (await database()).write<BudgetTables, void>(async (transaction) => {
      const revision = (await latest(transaction, "budget_rule")) + 1;
      await transaction
        .insertInto("budget_rule")
        .values({ kind, id, label, limits, revision })
        .onConflict((conflict) => conflict.columns(["kind", "id"]).doUpdateSet({ label, limits, revision }))
        .execute();
    });
  };
  return {
    async now() {
      const opened = await database();
      return nowIn(opened.tables<BudgetTables>(), opened);
    },
    async isShared() {
      return (await database()).engine === "postgres";
    },
    async rules(revision) {
      const db = await tables();
      const newest = await latest(db, "budget_rule");
      if (newest === revision) return undefined;
      const rows = await db.selectFrom("budget_rule").selectAll().where("limits", "is not", null).execute();
      return {
        revision: newest,
        rules: rows.map(({ kind, id, label, limits }) => {
          return { kind, id, label: label ?? undefined, limits: JSON.parse(limits ?? "{}") as BudgetLimits };
        }),
      };
    },
    putRule: writeRule,
    removeRule: (kind, id) => writeRule({ kind, id, label: undefined, limits: undefined }),
    async exchange(exchange, { waits }) {
      const opened = await database();
      const work = (transaction: Tables) => exchangeIn(transaction, exchange, clock(opened));
      return opened.writeBehind(work, { lock: LOCK, patienceMs: waits ? PATIENCE_MS : 0 });
    },
    async news(process, revision, leaseMs) {
      const opened = await database();
      const db = opened.tables<BudgetTables>();
      const now = await nowIn(db, opened);
      const rows = await db
        .selectFrom("budget_spent")
        .selectAll()
        .where("revision", ">", revision)
        .orderBy("revision")
        .limit(MAX_NEWS)
        .execute();
      const held = await heldElsewhere(db, process, leaseOf(now, leaseMs)).execute();
      const wanted = await db
        .selectFrom("budget_hold")
        .select(["kind", "id", "period"])
        .where("process", "=", process)
        .where("wanted", "=", 1)
        .execute();
      const last = rows.at(-1)?.revision ?? revision;
      // An exchange may have been cut in two: its other half comes with the next news.
      return {
        revision: rows.length < MAX_NEWS ? last : last - 1,
        spent: rows.map((row) => ({ ...amountOf(row), ageMs: Math.max(0, now - row.updated_at) })),
        held: held.map(amountOf),
        wanted,
        now,
      };
    },
    async spentIn(periods, limit) {
      const db = await tables();
      const revision = await latest(db, "budget_spent");
      const rows = await db
        .selectFrom("budget_spent")
        .selectAll()
        .where("period", "in", [...periods])
        .orderBy("revision", "desc")
        .limit(limit)
        .execute();
      return { revision, spent: rows.map(amountOf) };
    },
    async sequenceOf(process) {
      const exchanges = (await tables()).selectFrom("budget_exchange");
      return (await exchanges.select("sequence").where("process", "=", process).executeTakeFirst())?.sequence ?? 0;
    },
    async releaseHolds(process) {
      await (await database()).write<BudgetTables, void>(
        async (db) => void (await db.deleteFrom("budget_hold").where("process", "=", process).execute()),
        { lock: LOCK },
      );
    },
    async purge({ keepMs, leaseMs }) {
      const opened = await database();
      await opened.write<BudgetTables, void>(
        async (db) => {
          const lease = leaseOf(await nowIn(db, opened), leaseMs);
          const before = lease.now - keepMs;
          await db.deleteFrom("budget_spent").where("period", "!=", "total").where("updated_at", "<", before).execute();
          await db
            .deleteFrom("budget_hold")
            .where((where) =>
              where.or([where("expires_at", "<=", lease.now), where("expires_at", ">", horizon(lease))]),
            )
            .execute();
          await db.deleteFrom("budget_exchange").where("at", "<", before).execute();
        },
        { lock: LOCK },
      );
    },
  };
}

function amountOf({ kind, id, period, micro_usd }: CounterKey & { readonly micro_usd: number }): CounterAmount {
  return { kind, id, period, microUsd: micro_usd };
}
