import type { ThreadHit, ThreadHits } from "@loom/api";
import type { ThreadId } from "@loom/core";
import {
  decodeRecord,
  MAX_TOOL_UNITS,
  planQuery,
  type QueryPlan,
  searchableText,
  snippetOf,
  withBeginnings,
} from "@loom/threads/records";
import { type Expression, expressionBuilder, type Kysely, type SqlBool, sql } from "kysely";
import { decodeCursor, encodeCursor } from "../../../kit/paging.ts";
import type { Subject } from "../../../kit/subject.ts";
import type { ThreadTables } from "../migrations.ts";
import type { OutputService } from "../outputs.ts";
import { utc } from "../store.ts";
import { recordAt } from "../stored-records.ts";
import { filtersIn, type ThreadFilters } from "../thread-filters.ts";
import { withOutputs } from "../told-thread.ts";
import type { VisibleThreads } from "../visible-threads.ts";
import type { IndexState, SearchEngine } from "./index-types.ts";
import { rankingOf, termsToWeigh } from "./ranking.ts";

export type SearchOptions = ThreadFilters & {
  readonly query: string;
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** Of what was said. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
};

/** Of a query that is met very often, so many of the newest passages are ranked. */
const MAX_CANDIDATES = 5_000;
/** Hits of one thread at most, so that a long one does not hide the others. */
const PER_THREAD = 3;
const MAX_COMMITS = 50;
/** Hits that can be paged through. */
const MAX_HITS = 1_000;
const COMMIT = /^[0-9a-f]{7,40}$/i;

export type SearcherParts = {
  readonly tables: () => Promise<Kysely<ThreadTables>>;
  readonly engine: SearchEngine;
  readonly outputs: Pick<OutputService, "read">;
  readonly visible: VisibleThreads;
  readonly now: () => number;
};

type Row = {
  readonly key: number;
  readonly thread: number;
  readonly id: string;
  readonly owner: string;
  readonly workspace: string;
  readonly facts: string;
  readonly title: string;
  readonly record: number;
  readonly turn: number;
  readonly role: ThreadHit["role"];
  readonly at: string;
  readonly score: number;
};

/**
 * Finds a query in the threads that the subject may see, best first: commits where it may be one, then passages by BM25
 * and newness; where that is not enough, also words that only begin as those of the query.
 */
export async function searchThreads(
  parts: SearcherParts,
  subject: Subject,
  options: SearchOptions,
): Promise<ThreadHits> {
  const { limit, cursor } = options;
  const offset = cursor === undefined ? 0 : Number(decodeCursor(cursor, ["number"])[0]);
  const upTo = Math.min(MAX_HITS, offset + limit + 1);
  const db = await parts.tables();
  const commits = COMMIT.test(options.query.trim()) ? await commitHits(parts, db, subject, options) : [];
  const plan = planQuery(options.query);
  const state = await parts.engine.state();
  const known = { state, now: parts.now() };
  const found =
    plan === undefined ? [] : await passages({ ...parts, db, known }, subject, options, plan, upTo - commits.length);
  const all: (() => Promise<ThreadHit | undefined>)[] = [
    ...commits.map((hit) => async () => hit),
    ...found.map((row) => () => hitOf(parts, db, row, plan)),
  ];
  const page = await Promise.all(all.slice(offset, offset + limit).map((make) => make()));
  const newest = await db
    .selectFrom("thread")
    .select(({ fn }) => fn.max("change").as("change"))
    .executeTakeFirst();
  return {
    hits: page.filter((hit) => hit !== undefined),
    nextCursor: all.length > offset + limit ? encodeCursor([offset + limit]) : null,
    indexing: (newest?.change ?? 0) > state.change,
  };
}

type RankParts = SearcherParts & {
  readonly db: Kysely<ThreadTables>;
  readonly known: { readonly state: IndexState; readonly now: number };
};

async function passages(
  parts: RankParts,
  subject: Subject,
  options: SearchOptions,
  plan: QueryPlan,
  limit: number,
): Promise<Row[]> {
  const found = new Map<number, Row>();
  // The words are the same in both.
  const frequencies = await parts.engine.frequencies(termsToWeigh(plan));
  for (const each of [plan, withBeginnings(plan)]) {
    if (found.size >= limit) break;
    for (const row of await rank(parts, subject, options, { plan: each, frequencies, limit })) {
      if (found.size < limit && !found.has(row.key)) found.set(row.key, row);
    }
  }
  return [...found.values()];
}

type Wish = { readonly plan: QueryPlan; readonly frequencies: ReadonlyMap<string, number>; readonly limit: number };

async function rank(
  { engine, visible, db, known }: RankParts,
  subject: Subject,
  options: SearchOptions,
  { plan, frequencies, limit }: Wish,
): Promise<readonly Row[]> {
  const { dialect } = engine;
  const { counts, score } = rankingOf(plan, { ...known, frequencies }, dialect);
  const conditions = [...threadConditions(visible, subject, options, known.now), ...timeConditions(options, "p.at")];
  const query = sql`
    with counted as materialized (
      select p.key, p.thread, p.role, p.at_ms, p.length, ${counts}
      from ${dialect.candidates}
      where ${dialect.matches(plan)} and ${sql.join(conditions, sql` and `)}
      order by ${dialect.newestFirst} limit ${MAX_CANDIDATES}
    ), scored as materialized (
      select counted.key, counted.thread, ${score} as score from counted
    ), placed as (
      select scored.*, row_number() over (partition by scored.thread order by scored.score desc, scored.key desc) as place
      from scored
    ), best as materialized (
      select placed.key, placed.score from placed
      where placed.place <= ${PER_THREAD} order by placed.score desc, placed.key desc limit ${limit}
    )
    select p.key, p.thread, p.record, p.turn, p.role, p.at, best.score, s.title,
      thread.id, thread.owner, thread.workspace, thread.facts
    from best join ${dialect.passages} as p on p.key = best.key
      join ${dialect.threads} as s on s.key = p.thread join thread on thread.key = p.thread
    order by best.score desc, best.key desc
  `;
  return engine.rows<Row>(query.compile(db));
}

function threadConditions(
  visible: VisibleThreads,
  subject: Subject,
  filters: ThreadFilters,
  now: number,
): Expression<SqlBool>[] {
  const where = expressionBuilder<ThreadTables, "thread">();
  return [visible(where, subject, new Date(now).toISOString()), ...filtersIn(where, filters)];
}

function timeConditions({ since, until }: SearchOptions, column: string): Expression<SqlBool>[] {
  const at = sql.ref(column);
  return [
    ...(since === undefined ? [] : [sql<SqlBool>`${at} >= ${utc(since)}`]),
    ...(until === undefined ? [] : [sql<SqlBool>`${at} < ${utc(until)}`]),
  ];
}

async function hitOf(
  { outputs }: SearcherParts,
  db: Kysely<ThreadTables>,
  row: Row,
  plan: QueryPlan | undefined,
): Promise<ThreadHit | undefined> {
  const text = row.role === "title" ? row.title : await textOf(db, row, outputs);
  // It was replaced a moment ago.
  if (text === undefined || plan === undefined) return undefined;
  return {
    thread: row.id as ThreadId,
    title: titleIn(row.facts),
    workspace: row.workspace,
    owner: row.owner,
    role: row.role,
    turn: row.turn,
    record: row.record,
    at: row.at,
    score: row.score,
    snippet: snippetOf(text, withBeginnings(plan)),
  };
}

async function textOf(db: Kysely<ThreadTables>, { thread, record }: Row, outputs: Pick<OutputService, "read">) {
  const text = await recordAt(db, thread, record);
  const decoded = text === undefined ? undefined : decodeRecord(text);
  if (text === undefined || decoded === undefined || decoded === "unknown") return undefined;
  return searchableText(await withOutputs(decoded, text, thread, outputs, 4 * MAX_TOOL_UNITS))?.text;
}

async function commitHits(
  { visible, now }: SearcherParts,
  db: Kysely<ThreadTables>,
  subject: Subject,
  options: SearchOptions,
): Promise<ThreadHit[]> {
  const prefix = options.query.trim().toLowerCase();
  const conditions = [
    ...threadConditions(visible, subject, options, now()),
    ...timeConditions(options, "thread_commit.at"),
  ];
  const rows = await db
    .selectFrom("thread_commit")
    .innerJoin("thread", "thread.key", "thread_commit.thread_key")
    .select(["thread.id", "thread.owner", "thread.workspace", "thread.facts", "sha", "thread_commit.at", "subject"])
    .where("sha", ">=", prefix)
    .where("sha", "<", `${prefix}g`)
    .where((where) => where.and(conditions))
    .orderBy("thread_commit.at", "desc")
    .orderBy("thread.id", "desc")
    .limit(MAX_COMMITS)
    .execute();
  return rows.map(({ id, owner, workspace, facts, sha, at, subject: said }) => ({
    thread: id as ThreadId,
    title: titleIn(facts),
    workspace,
    owner,
    role: "commit",
    turn: 0,
    record: 0,
    at,
    score: null,
    snippet: { text: `${sha} ${said}`.trim(), highlights: [[0, prefix.length] as const] },
  }));
}

function titleIn(facts: string): string {
  return (JSON.parse(facts) as { readonly title: string }).title;
}
