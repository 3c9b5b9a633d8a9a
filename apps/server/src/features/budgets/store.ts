import type { BudgetLimits } from "@loom/api";
import { type Kysely, sql } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { BudgetTables } from "./migrations.ts";
import type { BudgetRule } from "./rule-book.ts";

export type CounterKey = { readonly kind: string; readonly id: string; readonly period: string };

/** What one process has to say about a counter, in micro-dollars. */
export type CounterChange = CounterKey & {
  /** Settled since it last said something. */
  readonly addSpent: number;
  /** What it holds now, in place of what it held before. */
  readonly hold: number;
};

export type CounterBalance = CounterKey & {
  /** Settled by all processes. */
  readonly spent: number;
  /** Held by the other processes whose lease is not over. */
  readonly heldElsewhere: number;
};

export type CounterAmount = CounterKey & { readonly microUsd: number };

export type BudgetNews = {
  readonly revision: number;
  readonly spent: readonly CounterAmount[];
  readonly held: readonly CounterAmount[];
};

/** How long a hold counts if its process says nothing more, in Unix milliseconds. */
export type HoldLease = { readonly now: number; readonly until: number };

/**
 * The counters that several servers share. Each server tells what it has settled and what it holds, in batches, and is
 * told at once what all have settled and the others hold; between two exchanges it decides by what it knows.
 */
export type BudgetStore = {
  /** Nothing where no rule has changed since `revision`. */
  rules(revision: number): Promise<{ readonly revision: number; readonly rules: readonly BudgetRule[] } | undefined>;
  putRule(rule: BudgetRule): Promise<void>;
  removeRule(kind: string, id: string): Promise<void>;
  /**
   * All changes or none; the balances are those after all of them, in the same order. At most 500. `waits`: for other
   * processes' writes and for the disk, and holds up this process meanwhile; else it fails where it would have to wait.
   */
  exchange(
    process: string,
    changes: readonly CounterChange[],
    lease: HoldLease,
    options: { readonly waits: boolean },
  ): Promise<readonly CounterBalance[]>;
  /** What has changed since the exchange `revision`, and what other processes hold now. */
  news(process: string, revision: number, lease: HoldLease): Promise<BudgetNews>;
  /** Of these periods, the latest `limit`; and the last exchange that they know of. */
  spentIn(periods: readonly string[], limit: number): Promise<Omit<BudgetNews, "held">>;
  /** Forgets what ended before `before`, and holds whose lease is over. */
  purge(options: { readonly before: number; readonly lease: HoldLease }): Promise<void>;
};

const MAX_NEWS = 5_000;

type Tables = Kysely<BudgetTables>;

export function createBudgetStore(database: () => Promise<Database>): BudgetStore {
  const tables = async (): Promise<Tables> => (await database()).tables<BudgetTables>();
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
    async exchange(process, changes, lease, { waits }) {
      const work = async (transaction: Tables): Promise<CounterBalance[]> => {
        const revision = (await latest(transaction, "budget_spent")) + 1;
        for (const change of changes) {
          await addSpent(transaction, change, { now: lease.now, revision });
          await hold(transaction, process, change, lease.until);
        }
        return balancesOf(transaction, process, changes, lease);
      };
      const db = await database();
      return waits ? db.write(work) : db.writeBehind(work);
    },
    async news(process, revision, lease) {
      const db = await tables();
      const rows = await db
        .selectFrom("budget_spent")
        .selectAll()
        .where("revision", ">", revision)
        .orderBy("revision")
        .limit(MAX_NEWS)
        .execute();
      const held = await heldElsewhere(db, process, lease).execute();
      const last = Number(rows.at(-1)?.revision ?? revision);
      // An exchange may have been cut in two: its other half comes with the next news.
      return {
        revision: rows.length < MAX_NEWS ? last : last - 1,
        spent: rows.map(amountOf),
        held: held.map(amountOf),
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
    async purge({ before, lease }) {
      await (await database()).write<BudgetTables, void>(async (db) => {
        await db.deleteFrom("budget_spent").where("period", "!=", "total").where("updated_at", "<", before).execute();
        await db
          .deleteFrom("budget_hold")
          .where((where) => where.or([where("expires_at", "<=", lease.now), where("expires_at", ">", horizon(lease))]))
          .execute();
      });
    },
  };
}

/** Revisions have to become visible in their order: whoever writes one holds the write lock. */
async function latest(db: Tables, table: "budget_rule" | "budget_spent"): Promise<number> {
  const row = await db
    .selectFrom(table)
    .select((select) => select.fn.max("revision").as("latest"))
    .executeTakeFirst();
  return Number(row?.latest ?? 0);
}

async function addSpent(
  db: Tables,
  { kind, id, period, addSpent: amount }: CounterChange,
  { now, revision }: { readonly now: number; readonly revision: number },
): Promise<void> {
  if (amount === 0) return;
  await db
    .insertInto("budget_spent")
    .values({ kind, id, period, micro_usd: amount, updated_at: now, revision })
    .onConflict((conflict) =>
      conflict.columns(["kind", "id", "period"]).doUpdateSet({
        micro_usd: sql<number>`budget_spent.micro_usd + ${amount}`,
        updated_at: now,
        revision,
      }),
    )
    .execute();
}

async function hold(db: Tables, process: string, change: CounterChange, expiresAt: number): Promise<void> {
  const { kind, id, period, hold: micro_usd } = change;
  if (micro_usd === 0) {
    await db
      .deleteFrom("budget_hold")
      .where("kind", "=", kind)
      .where("id", "=", id)
      .where("period", "=", period)
      .where("process", "=", process)
      .execute();
    return;
  }
  await db
    .insertInto("budget_hold")
    .values({ process, kind, id, period, micro_usd, expires_at: expiresAt })
    .onConflict((conflict) =>
      conflict.columns(["kind", "id", "period", "process"]).doUpdateSet({ micro_usd, expires_at: expiresAt }),
    )
    .execute();
}

/** Two questions, however many keys. */
async function balancesOf(
  db: Tables,
  process: string,
  keys: readonly CounterKey[],
  lease: HoldLease,
): Promise<CounterBalance[]> {
  if (keys.length === 0) return [];
  const ids = [...new Set(keys.map((key) => key.id))];
  const periods = [...new Set(keys.map((key) => key.period))];
  const spent = await db
    .selectFrom("budget_spent")
    .select(["kind", "id", "period", "micro_usd"])
    .where("id", "in", ids)
    .where("period", "in", periods)
    .execute();
  const held = await heldElsewhere(db, process, lease).where("id", "in", ids).where("period", "in", periods).execute();
  const spentBy = new Map(spent.map((row) => [nameOf(row), Number(row.micro_usd)]));
  const heldBy = new Map(held.map((row) => [nameOf(row), Number(row.micro_usd)]));
  return keys.map(({ kind, id, period }) => {
    const name = nameOf({ kind, id, period });
    return { kind, id, period, spent: spentBy.get(name) ?? 0, heldElsewhere: heldBy.get(name) ?? 0 };
  });
}

function heldElsewhere(db: Tables, process: string, lease: HoldLease) {
  return db
    .selectFrom("budget_hold")
    .select((select) => ["kind", "id", "period", select.fn.sum<number>("micro_usd").as("micro_usd")])
    .where("process", "!=", process)
    .where("expires_at", ">", lease.now)
    .where("expires_at", "<=", horizon(lease))
    .groupBy(["kind", "id", "period"]);
}

function amountOf({ kind, id, period, micro_usd }: CounterKey & { readonly micro_usd: number }): CounterAmount {
  return { kind, id, period, microUsd: Number(micro_usd) };
}

function nameOf({ kind, id, period }: CounterKey): string {
  return JSON.stringify([kind, id, period]);
}

/** A lease that ends later was made by a clock that has been set back since; servers' clocks may differ a little. */
function horizon({ now, until }: HoldLease): number {
  return until + (until - now);
}
