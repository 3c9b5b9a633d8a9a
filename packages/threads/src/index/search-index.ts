import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { ThreadId } from "@loom/core";
import type { SearchRole } from "../searchable-text.ts";
import { planQuery, type QueryPlan, withBeginnings } from "../text/query.ts";
import { type Snippet, snippetOf } from "../text/snippet.ts";
import { factsText, type ThreadFacts } from "../thread-facts.ts";
import { filterSql, type ThreadFilters } from "./filters.ts";
import { matchExpression } from "./match-expression.ts";
import { type EntrySources, textOfEntry } from "./text-of-entry.ts";

/** One place where something was found. */
export type SearchHit = {
  readonly threadId: ThreadId;
  readonly title: string;
  readonly workspace: string;
  /** Who said it; `title` for what is known of the thread itself, `commit` for a commit that was named. */
  readonly role: SearchRole | "title" | "commit";
  /** Which input of the person it followed, from 1; 0 for what belongs to no turn. */
  readonly turn: number;
  readonly at: string;
  /** The higher the better; comparable within one answer. Absent for commits. */
  readonly score?: number;
  readonly snippet: Snippet;
};

export type SearchOptions = ThreadFilters & {
  readonly limit?: number;
  /** Hits of one thread at most, so that a long one does not hide the others; 3 unless given. */
  readonly perThread?: number;
  /** Length of the snippets; 160 unless given. */
  readonly snippetUnits?: number;
};

const DEFAULT_LIMIT = 20;
const DEFAULT_PER_THREAD = 3;
/** A name counts less than a word that was written so; a title more than what was said in passing. */
const NAME_WEIGHT = 0.6;
const TITLE_WEIGHT = 1.5;
/** After so many days, half of what newness adds to a score is gone. */
const RECENCY_DAYS = 14;

const COMMIT = /^[0-9a-f]{7,40}$/i;

/**
 * Finds a query, best first: commits where it may be one, then by BM25 and newness; where that is not enough, also
 * words that only begin as those of the query.
 */
export function searchIndex(
  database: DatabaseSync,
  sources: EntrySources & { readonly now: number },
  query: string,
  options: SearchOptions,
): SearchHit[] {
  const { limit = DEFAULT_LIMIT } = options;
  const hits = COMMIT.test(query.trim()) ? findCommits(database, query.trim().toLowerCase(), options, limit) : [];
  const plan = planQuery(query);
  if (plan === undefined) return hits;
  const found = new Map<number, Found>();
  for (const each of [plan, withBeginnings(plan)]) {
    if (hits.length + found.size >= limit) break;
    for (const row of findEntries(database, each, options, limit, sources.now)) {
      if (!found.has(row.entry)) found.set(row.entry, row);
    }
  }
  for (const row of found.values()) {
    if (hits.length >= limit) break;
    const hit = hitOf(row, withBeginnings(plan), sources, options.snippetUnits);
    if (hit !== undefined) hits.push(hit);
  }
  return hits;
}

type Found = { readonly entry: number; readonly row: Record<string, SQLOutputValue> };

function findEntries(
  database: DatabaseSync,
  plan: QueryPlan,
  options: SearchOptions,
  limit: number,
  now: number,
): Found[] {
  const { perThread = DEFAULT_PER_THREAD } = options;
  const { sql, values } = filterSql(options, "entry.at");
  const rows = database
    .prepare(
      `WITH found AS MATERIALIZED (
         SELECT entry.key AS entry, entry.thread, entry.turn, entry.role, entry.at, entry.position, entry.length,
           -bm25(entry_text, 1.0, ${NAME_WEIGHT}) * iif(entry.role = 'title', ${TITLE_WEIGHT}, 1.0)
             * (1.0 + 1.0 / (1.0 + max(0.0, julianday(?) - julianday(entry.at)) / ${RECENCY_DAYS}.0)) AS score
         FROM entry_text JOIN entry ON entry.key = entry_text.rowid JOIN thread ON thread.key = entry.thread
         WHERE entry_text MATCH ? AND ${sql}
       ), placed AS (
         SELECT *, row_number() OVER (PARTITION BY thread ORDER BY score DESC, entry DESC) AS place FROM found
       )
       SELECT placed.*, thread.id, thread.facts FROM placed JOIN thread ON thread.key = placed.thread
       WHERE place <= ? ORDER BY score DESC, entry DESC LIMIT ?`,
    )
    .all(new Date(now).toISOString(), matchExpression(plan), ...values, perThread, limit);
  return rows.map((row) => ({ entry: Number(row.entry), row }));
}

function hitOf(
  { row }: Found,
  plan: QueryPlan,
  sources: EntrySources,
  snippetUnits: number | undefined,
): SearchHit | undefined {
  const facts = factsIn(row);
  const role = String(row.role);
  const text = role === "title" ? factsText(facts) : textOfEntry(row, sources);
  // The file is not what the index knew a moment ago.
  if (text === undefined) return undefined;
  return {
    ...threadOf(facts),
    role: role as SearchHit["role"],
    turn: Number(row.turn),
    at: String(row.at),
    score: Number(row.score),
    snippet: snippetOf(text, plan, snippetUnits),
  };
}

function findCommits(database: DatabaseSync, prefix: string, options: SearchOptions, limit: number): SearchHit[] {
  const { sql, values } = filterSql(options, "commit_of.at");
  return database
    .prepare(
      `SELECT commit_of.sha, commit_of.at, thread.facts FROM commit_of JOIN thread ON thread.key = commit_of.thread
       WHERE commit_of.sha >= ? AND commit_of.sha < ? AND ${sql} ORDER BY commit_of.at DESC LIMIT ?`,
    )
    .all(prefix, `${prefix}g`, ...values, limit)
    .map((row) => {
      const facts = factsIn(row);
      const sha = String(row.sha);
      const subject = facts.commits.find((commit) => commit.sha === sha)?.subject ?? "";
      const snippet = { text: `${sha} ${subject}`.trim(), highlights: [[0, prefix.length] as const] };
      return { ...threadOf(facts), role: "commit", turn: 0, at: String(row.at), snippet };
    });
}

function factsIn(row: Record<string, SQLOutputValue>): ThreadFacts {
  return JSON.parse(String(row.facts));
}

function threadOf({ id, title, workspace }: ThreadFacts) {
  return { threadId: id, title, workspace };
}
