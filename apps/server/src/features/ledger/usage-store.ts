import { type ExpressionBuilder, type Kysely, type RawBuilder, type SelectQueryBuilder, sql } from "kysely";
import type { LedgerTables } from "./migrations.ts";
import type { Dimension, Filter } from "./usage-query.ts";

/** Sums over the rows of a time slice that agree in every dimension and in both classes of duration. */
export type SliceSums = {
  /** One per dimension; times as the Unix milliseconds at which their hour or day begins. */
  readonly key: readonly (string | number | null)[];
  readonly latencyClass: number;
  readonly firstByteClass: number | null;
  /** In the order of `SUMS`. */
  readonly sums: readonly number[];
};

export type Slice = {
  readonly fromMs: number;
  /** Not part of it. */
  readonly toMs: number;
  readonly dimensions: readonly Dimension[];
  readonly filters: readonly Filter[];
};

/** What is added up, in this order. */
export const SUMS = [
  "requests",
  "errors",
  "cancelled",
  "refused",
  "input",
  "output",
  "cacheRead",
  "cacheWrite",
  "cacheWriteLong",
  "reasoning",
  "cost",
  "unpriced",
  "estimated",
] as const;

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

type Row = { readonly [column: string]: string | number | null };

/** The time at which a slice of some `rows` rows ends that begins at `fromMs`; `toMs` where there are no more. */
export async function sliceEnd(
  db: Kysely<LedgerTables>,
  { fromMs, toMs, rows }: { readonly fromMs: number; readonly toMs: number; readonly rows: number },
): Promise<number> {
  const next = await db
    .selectFrom("usage")
    .select("at_ms")
    .where("at_ms", ">=", fromMs)
    .where("at_ms", "<", toMs)
    .orderBy("at_ms")
    .limit(1)
    .offset(rows)
    .executeTakeFirst();
  if (next === undefined) return toMs;
  // All rows of a millisecond are in one slice.
  return Math.max(Number(next.at_ms), fromMs + 1);
}

/** SQL that every engine understands: what differs between them (months, percentiles) is worked out of its answer. */
export async function sumSlice(db: Kysely<LedgerTables>, slice: Slice): Promise<SliceSums[]> {
  const { dimensions } = slice;
  let query = db
    .selectFrom("usage")
    .where("usage.at_ms", ">=", slice.fromMs)
    .where("usage.at_ms", "<", slice.toMs) as unknown as SelectQueryBuilder<LedgerTables, "usage", Row>;
  for (const filter of slice.filters) query = filtered(query, filter);
  dimensions.forEach((dimension, index) => {
    if (dimension.type === "node") query = joined(query, dimension.kind, `node${index}`);
    const expression = expressionOf(dimension, index);
    query = query.select(expression.as(`d${index}`)).groupBy(expression);
  });
  const rows = await query
    .select(["usage.latency_class as latency", "usage.first_byte_class as first"])
    .groupBy(["usage.latency_class", "usage.first_byte_class"])
    .select(SUM_EXPRESSIONS.map((expression, index) => expression.as(`s${index}`)))
    .execute();
  return rows.map((row) => ({
    key: dimensions.map(({ type }, index) => keyValue(row[`d${index}`] ?? null, type)),
    latencyClass: Number(row.latency),
    firstByteClass: row.first === null ? null : Number(row.first),
    sums: SUMS.map((_, index) => Number(row[`s${index}`] ?? 0)),
  }));
}

type Query = SelectQueryBuilder<LedgerTables, "usage", Row>;

function filtered(query: Query, filter: Filter): Query {
  if (filter.type === "column") return query.where(`usage.${filter.column}`, "=", filter.value);
  const { kind, id } = filter;
  const paths = (eb: ExpressionBuilder<LedgerTables, "usage">) =>
    eb.selectFrom("usage_node").select("path").where("kind", "=", kind).where("node", "=", id);
  return query.where((eb) => eb("usage.path", "in", paths(eb)));
}

/** A request without a node of that kind is in the group of `null`; one with several is in the group of each. */
function joined(query: Query, kind: string, alias: string): Query {
  return query.leftJoin(`usage_node as ${alias}`, (join) =>
    join.on(sql<boolean>`${sql.ref(`${alias}.path`)} = usage.path and ${sql.ref(`${alias}.kind`)} = ${kind}`),
  ) as unknown as Query;
}

function expressionOf(dimension: Dimension, index: number): RawBuilder<string | number | null> {
  switch (dimension.type) {
    case "column":
      return sql.ref(`usage.${dimension.column}`);
    case "node":
      return sql.ref(`node${index}.node`);
    case "time": {
      // A literal: as parameters of SELECT and of GROUP BY, PostgreSQL would take them for two different things.
      const unit = sql.lit(dimension.unit === "hour" ? HOUR_MS : DAY_MS);
      return sql`usage.at_ms - usage.at_ms % ${unit}`;
    }
  }
}

/** PostgreSQL gives large numbers as text. */
function keyValue(value: string | number | null, type: Dimension["type"]): string | number | null {
  return type === "time" ? Number(value) : value;
}

const TOKENS = sql`usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens`;

const SUM_EXPRESSIONS: readonly RawBuilder<number>[] = [
  sql`count(*)`,
  sql`sum(case when usage.outcome in ('failed', 'cut_off') then 1 else 0 end)`,
  sql`sum(case when usage.outcome = 'cancelled' then 1 else 0 end)`,
  sql`sum(case when usage.outcome = 'refused' then 1 else 0 end)`,
  sql`sum(usage.input_tokens)`,
  sql`sum(usage.output_tokens)`,
  sql`sum(usage.cache_read_tokens)`,
  sql`sum(usage.cache_write_tokens)`,
  sql`sum(usage.cache_write_long_tokens)`,
  sql`sum(usage.reasoning_tokens)`,
  sql`sum(coalesce(usage.cost_micro_usd, 0))`,
  sql`sum(case when usage.cost_micro_usd is null and ${TOKENS} > 0 then 1 else 0 end)`,
  sql`sum(usage.estimated)`,
];
