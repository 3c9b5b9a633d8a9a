import {
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type OnConflictDatabase,
  type OnConflictTables,
  type RawBuilder,
  sql,
} from "kysely";
import type { BudgetTables } from "./migrations.ts";
import { drained, drainOf, isRate, leaseMsOf } from "./shared-rates.ts";
import { sliceOf } from "./slice.ts";
import type { BudgetExchange, CounterBalance, CounterChange, CounterKey } from "./store.ts";

type Tables = Kysely<BudgetTables>;

/** How long a hold counts if its process says nothing more, in Unix milliseconds of the database's clock. */
export type HoldLease = { readonly now: number; readonly until: number };

/** Exchanges that are told in the name of a process that has died come after all of its own. */
export const RECOVERED = 2 ** 52;

/**
 * One process tells what it has spent and is lent what it needs, in a transaction that no other exchange overlaps. A few
 * statements, however many counters. Nothing is done and given where the process was taken for dead: what is charged in
 * its name is closed.
 */
export async function exchangeIn(
  db: Tables,
  exchange: BudgetExchange,
  clock: RawBuilder<number>,
): Promise<CounterBalance[] | undefined> {
  const { process, sequence, changes, leaseMs } = exchange;
  if (changes.length === 0) return [];
  const { now, known } = await db
    .selectNoFrom((select) => [
      clock.as("now"),
      select.selectFrom("budget_exchange").select("sequence").where("process", "=", process).as("known"),
    ])
    .executeTakeFirstOrThrow();
  const lease = leaseOf(now, leaseMs);
  if (known !== null && known >= RECOVERED && sequence < RECOVERED) return undefined;
  if (known === null || known < sequence) await addSpent(db, exchange, now);
  const totals = await totalsOf(db, process, changes, lease);
  const balances = changes.map((change): CounterBalance => {
    const { kind, id, period, limit, inUse, hold, need } = change;
    const { heldElsewhere = 0, slackElsewhere = 0, ...total } = totals.get(nameOf(change)) ?? {};
    const spent = spentNow(change, total, now);
    const own = sliceOf({ limit, gone: spent + heldElsewhere, inUse, hold, need });
    return { kind, id, period, spent, heldElsewhere, slackElsewhere, hold: own };
  });
  await hold(db, exchange, balances, now);
  const short = changes.filter(({ need, inUse }, index) => {
    const { hold: own = 0, slackElsewhere = 0 } = balances[index] ?? {};
    return need !== undefined && slackElsewhere > 0 && own - inUse < need.least;
  });
  for (const key of short) await want(db, process, key);
  return balances;
}

async function addSpent(db: Tables, { process, sequence, changes }: BudgetExchange, now: number): Promise<void> {
  const spending = changes.filter((change) => change.addSpent > 0 && !isRate(change.period));
  const rates = changes.filter(
    ({ addSpent, period, limit }) => addSpent !== 0 && isRate(period) && limit !== undefined,
  );
  const revision = spending.length + rates.length === 0 ? 0 : (await latest(db, "budget_spent")) + 1;
  if (rates.length > 0) {
    const totals = await spentOf(db, rates);
    const rows = rates.map((change) => {
      const { kind, id, period, addSpent } = change;
      const micro_usd = Math.max(0, spentNow(change, totals.get(nameOf(change)), now) + addSpent);
      return { kind, id, period, micro_usd, updated_at: now, revision };
    });
    // What was there is in it.
    await writeSpent(db, rows, ({ ref }) => ref("excluded.micro_usd"));
  }
  if (spending.length > 0) {
    const rows = spending.map(({ kind, id, period, addSpent: micro_usd }) => {
      return { kind, id, period, micro_usd, updated_at: now, revision };
    });
    await writeSpent(
      db,
      rows,
      ({ ref }) => sql<number>`${ref("budget_spent.micro_usd")} + ${ref("excluded.micro_usd")}`,
    );
  }
  await db
    .insertInto("budget_exchange")
    .values({ process, sequence, at: now })
    .onConflict((conflict) => conflict.column("process").doUpdateSet({ sequence, at: now }))
    .execute();
}

/** `onto`: what stands there afterwards, where something stood there before. */
async function writeSpent(
  db: Tables,
  rows: readonly BudgetTables["budget_spent"][],
  onto: (written: Written) => Expression<number>,
): Promise<void> {
  await db
    .insertInto("budget_spent")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["kind", "id", "period"]).doUpdateSet((written) => ({
        micro_usd: onto(written),
        updated_at: written.ref("excluded.updated_at"),
        revision: written.ref("excluded.revision"),
      })),
    )
    .execute();
}

type Written = ExpressionBuilder<OnConflictDatabase<BudgetTables, "budget_spent">, OnConflictTables<"budget_spent">>;

async function hold(
  db: Tables,
  { process, changes, leaseMs }: BudgetExchange,
  balances: readonly CounterBalance[],
  now: number,
): Promise<void> {
  const rows = balances.map(({ kind, id, period, hold: micro_usd }, index) => {
    const { inUse = 0, need } = changes[index] ?? {};
    // Those who wait for it will take it at once. Of a slot nobody tells when it is free again: its server is asked.
    const in_use = isRate(period) ? 0 : Math.min(micro_usd, inUse + (need?.total ?? 0));
    const expires_at = now + leaseMsOf(period, leaseMs);
    return { process, kind, id, period, micro_usd, in_use, wanted: 0, expires_at };
  });
  await db
    .insertInto("budget_hold")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["kind", "id", "period", "process"]).doUpdateSet(({ ref }) => ({
        micro_usd: ref("excluded.micro_usd"),
        in_use: ref("excluded.in_use"),
        wanted: 0,
        expires_at: ref("excluded.expires_at"),
      })),
    )
    .execute();
  if (rows.some((row) => row.micro_usd === 0)) {
    await db.deleteFrom("budget_hold").where("process", "=", process).where("micro_usd", "=", 0).execute();
  }
}

/** Those who have some of it in advance see this within a second. */
async function want(db: Tables, process: string, { kind, id, period }: CounterKey): Promise<void> {
  await db
    .updateTable("budget_hold")
    .set({ wanted: 1 })
    .where("kind", "=", kind)
    .where("id", "=", id)
    .where("period", "=", period)
    .where("process", "!=", process)
    .whereRef("micro_usd", ">", "in_use")
    .execute();
}

type Spent = { readonly spent?: number; readonly spentAt?: number };
type Totals = Spent & { readonly heldElsewhere?: number; readonly slackElsewhere?: number };

function spentNow({ period, limit }: CounterChange, { spent = 0, spentAt = 0 }: Spent = {}, now: number): number {
  return drained(spent, drainOf(period, limit), now - spentAt);
}

async function spentOf(db: Tables, keys: readonly CounterKey[]): Promise<Map<string, Spent>> {
  const rows = await db
    .selectFrom("budget_spent")
    .select(["kind", "id", "period", "micro_usd", "updated_at"])
    .where("id", "in", [...new Set(keys.map((key) => key.id))])
    .where("period", "in", [...new Set(keys.map((key) => key.period))])
    .execute();
  return new Map(rows.map((row) => [nameOf(row), { spent: row.micro_usd, spentAt: row.updated_at }]));
}

/** Two questions, however many keys. */
async function totalsOf(
  db: Tables,
  process: string,
  keys: readonly CounterKey[],
  lease: HoldLease,
): Promise<Map<string, Totals>> {
  const ids = [...new Set(keys.map((key) => key.id))];
  const periods = [...new Set(keys.map((key) => key.period))];
  const held = await heldElsewhere(db, process, lease).where("id", "in", ids).where("period", "in", periods).execute();
  const totals = new Map<string, Totals>(await spentOf(db, keys));
  for (const row of held) {
    const name = nameOf(row);
    const slackElsewhere = Math.max(0, row.micro_usd - row.in_use);
    totals.set(name, { ...totals.get(name), heldElsewhere: row.micro_usd, slackElsewhere });
  }
  return totals;
}

/** What other processes hold whose lease is not over. */
export function heldElsewhere(db: Tables, process: string, lease: HoldLease) {
  return db
    .selectFrom("budget_hold")
    .select(({ fn }) => [
      "kind",
      "id",
      "period",
      fn.sum<number>("micro_usd").as("micro_usd"),
      fn.sum<number>("in_use").as("in_use"),
    ])
    .where("process", "!=", process)
    .where("expires_at", ">", lease.now)
    .where("expires_at", "<=", horizon(lease))
    .groupBy(["kind", "id", "period"]);
}

export function leaseOf(now: number, leaseMs: number): HoldLease {
  return { now, until: now + leaseMs };
}

/** A lease that ends later was made by a clock that has been set back since. */
export function horizon({ now, until }: HoldLease): number {
  return until + (until - now);
}

/** Revisions have to become visible in their order: whoever writes one holds the lock. */
export async function latest(db: Tables, table: "budget_rule" | "budget_spent"): Promise<number> {
  const row = await db
    .selectFrom(table)
    .select((select) => select.fn.max("revision").as("latest"))
    .executeTakeFirst();
  return row?.latest ?? 0;
}

function nameOf({ kind, id, period }: CounterKey): string {
  return JSON.stringify([kind, id, period]);
}
