import { type ExpressionBuilder, type Kysely, type RawBuilder, type SelectQueryBuilder, sql } from "kysely";
import type { LedgerTables } from "./migrations.ts";
import type { Dimension, Filter } from "./usage-query.ts";

/** Of the rows of a time slice, those that agree in every dimension. */
export type SliceGroup = {
  /** One per dimension; times as the Unix milliseconds at which their hour or day begins. */
  readonly key: readonly (string | number | null)[];
};

/** In the order of `SUMS`. */
export type GroupSums = SliceGroup & { readonly sums: readonly number[] };

/** How many rows of a group are in a class of duration. */
export type ClassCount = SliceGroup & { readonly durationClass: number; readonly count: number };

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
  "replaced",
  "rows",
] as const;

const ROWS = SUMS.indexOf("rows");

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
export async function sumSlice(db: Kysely<LedgerTables>, slice: Slice): Promise<GroupSums[]> {
  const rows = await grouped(db, slice)
    .select(SUM_EXPRESSIONS.map((expression, index) => expression.as(`s${index}`)))
    .execute();
  // Without a dimension there is a row also where there is nothing.
  return rows
    .filter((row) => Number(row[`s${ROWS}`]) > 0)
    .map((row) => ({
      key: keyOf(row, slice),
      sums: SUMS.map((_, index) => Number(row[`s${index}`] ?? 0)),
    }));
}

/** Rows without such a duration are left out, and attempts: the requests that they belong to took as long. */
export async function countClasses(
  db: Kysely<LedgerTables>,
  slice: Slice,
  column: "latency_class" | "first_byte_class",
): Promise<ClassCount[]> {
  const reference = sql.ref<number | null>(`usage.${column}`);
  const rows = await grouped(db, slice)
    .where(reference, "is not", null)
    .where("usage.outcome", "<>", "replaced")
    .groupBy(reference)
    .select([reference.as("class"), sql<number>`count(*)`.as("count")])
    .execute();
  return rows.map((row) => ({
    key: keyOf(row, slice),
    durationClass: Number(row.class),
    count: Number(row.count),
  }));
}

function grouped(db: Kysely<LedgerTables>, { fromMs, toMs, dimensions, filters }: Slice): Query {
  let query = db
    .selectFrom("usage")
    .where("usage.at_ms", ">=", fromMs)
    .where("usage.at_ms", "<", toMs) as unknown as Query;
  for (const filter of filters) query = filtered(query, filter);
  dimensions.forEach((dimension, index) => {
    if (dimension.type === "node") query = joined(query, dimension.kind, `node${index}`);
    const expression = expressionOf(dimension, index);
    query = query.select(expression.as(`d${index}`)).groupBy(expression);
  });
  return query;
}

/** PostgreSQL gives large numbers as text. */
function keyOf(row: Row, { dimensions }: Slice): SliceGroup["key"] {
  return dimensions.map(({ type }, index) => {
    const value = row[`d${index}`] ?? null;
    return type === "time" ? Number(value) : value;
  });
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

const TOKENS = sql`usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens`;

const SUM_EXPRESSIONS: readonly RawBuilder<number>[] = [
  sql`sum(case when usage.outcome = 'replaced' then 0 else 1 end)`,
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
  sql`sum(case when usage.outcome = 'replaced' then 0 else usage.estimated end)`,
  sql`sum(case when usage.outcome = 'replaced' then 1 else 0 end)`,
  sql`count(*)`,
];
