import { type Kysely, sql } from "kysely";
import type { Database } from "../../../kit/database.ts";
import type {
  IndexBatch,
  IndexedThread,
  IndexState,
  PassagePiece,
  SearchDialect,
  SearchEngine,
} from "./index-types.ts";
import { tsQuery } from "./match.ts";
import { repeatMark } from "./passages.ts";

/** Raised with every change of the tables or of how text is told apart: older ones are dropped and made anew. */
const INDEX_VERSION = 3;
const LOCK = "thread-search";

const DIALECT: SearchDialect = {
  candidates: sql`thread_search_passage as p join thread_search_thread as s on s.key = p.thread
    join thread on thread.key = p.thread and thread.id = s.id and thread.generation = s.generation`,
  matches: (plan) => sql`p.found_by @@ ${tsQuery(plan)}::tsquery`,
  passages: sql`thread_search_passage`,
  threads: sql`thread_search_thread`,
  newestFirst: sql`p.key desc`,
  countOf: (term) => {
    const [mark, length] = repeatMark(term);
    const at = sql`nullif(strpos(p.repeats, ${mark}), 0)`;
    return sql`coalesce(split_part(substr(p.repeats, ${at} + ${length}::integer, 6), '|', 1)::integer, 1)`;
  },
  greatest: "greatest",
};

type Db = Kysely<unknown>;

/** The index in tables of the same database. They are no part of its migrations: a copy of the database makes its own. */
export async function openPostgresEngine(database: Database): Promise<SearchEngine> {
  await database.write<unknown, void>(makeTables, { lock: LOCK });
  const tables = (): Db => database.tables<unknown>();
  return {
    dialect: DIALECT,
    async state() {
      return stateIn(tables());
    },
    async indexed(keys) {
      const { rows } = await sql<IndexedThread>`
        select key, id, generation, version, digest, messages, turns, title_key as "titleKey", title, waiting
        from thread_search_thread where key = any(${sql.val(`{${keys.join(",")}}`)}::bigint[])
      `.execute(tables());
      return new Map(rows.map((row) => [row.key, row]));
    },
    async frequencies(terms) {
      const { rows } = await sql<{ term: string; passages: number }>`
        select term, passages from thread_search_frequency where term = any(${sql.val(arrayOf(terms))}::text[])
      `.execute(tables());
      return new Map(rows.map(({ term, passages }) => [term, passages]));
    },
    write: (batch) => database.write<unknown, boolean>((db) => write(db, batch), { lock: LOCK }),
    async rows<Row>({ sql: text, parameters }: { readonly sql: string; readonly parameters: readonly unknown[] }) {
      const result = await tables().executeQuery<Row>({
        sql: text,
        parameters,
        query: { kind: "RawNode", sqlFragments: [], parameters: [] },
        queryId: { queryId: "thread-search" },
      });
      return result.rows;
    },
    // The server's own vacuum does it.
    async tidy() {},
    async close() {},
  };
}

async function stateIn(db: Db): Promise<IndexState> {
  const { rows } = await sql<IndexState>`
    select revision, passages, terms, next_key as "nextKey", change from thread_search_state
  `.execute(db);
  const [state] = rows;
  if (state === undefined) throw new Error("The index of threads has no state.");
  return state;
}

async function makeTables(db: Db): Promise<void> {
  const { rows } = await sql<{ name: string | null }>`select to_regclass('thread_search_state')::text as name`.execute(
    db,
  );
  if (rows[0]?.name !== null && rows[0]?.name !== undefined) {
    const known = await sql<{ version: number }>`select version from thread_search_state`.execute(db);
    if (known.rows[0]?.version === INDEX_VERSION) return;
  }
  for (const name of ["state", "thread", "passage", "frequency"]) {
    await sql`drop table if exists ${sql.table(`thread_search_${name}`)}`.execute(db);
  }
  for (const statement of TABLES) await sql.raw(statement).execute(db);
}

const TABLES = [
  `create table thread_search_state (
     only_one integer primary key check (only_one = 1), version bigint not null, revision bigint not null,
     passages bigint not null, terms bigint not null, next_key bigint not null, change bigint not null)`,
  `insert into thread_search_state values (1, ${INDEX_VERSION}, 0, 0, 0, 1, 0)`,
  `create table thread_search_thread (
     key bigint primary key, id text collate "C" not null, generation bigint not null, version bigint not null,
     digest text not null, messages bigint not null, turns bigint not null, title_key bigint, title text not null, waiting text not null)`,
  `create table thread_search_passage (
     key bigint primary key, thread bigint not null, record bigint not null, turn bigint not null, role text not null,
     at text collate "C" not null, at_ms bigint not null, length bigint not null, repeats text not null,
     found_by tsvector not null)`,
  "create index thread_search_passage_thread on thread_search_passage (thread)",
  "create index thread_search_passage_terms on thread_search_passage using gin (found_by)",
  `create table thread_search_frequency (term text collate "C" primary key, passages bigint not null)`,
];

async function write(db: Db, batch: IndexBatch): Promise<boolean> {
  if ((await stateIn(db)).revision !== batch.revision) return false;
  for (const key of batch.dropped) {
    await sql`delete from thread_search_passage where thread = ${key}`.execute(db);
    await sql`delete from thread_search_thread where key = ${key}`.execute(db);
  }
  if (batch.droppedPassages.length > 0) {
    await sql`
      delete from thread_search_passage where key = any(${sql.val(`{${batch.droppedPassages.join(",")}}`)}::bigint[])
    `.execute(db);
  }
  for (const piece of batch.pieces) {
    await sql`
      insert into thread_search_passage
      select key, thread, record, turn, role, at, at_ms, length, repeats, found_by::tsvector
      from json_to_recordset(${JSON.stringify(passageRows(piece))}::json) as t (
        key bigint, thread bigint, record bigint, turn bigint, role text, at text, at_ms bigint, length bigint,
        repeats text, found_by text)
    `.execute(db);
  }
  if (batch.threads.length > 0) {
    await sql`
      insert into thread_search_thread
      select key, id, generation, version, digest, messages, turns, "titleKey", title, waiting
      from json_to_recordset(${JSON.stringify(batch.threads)}::json) as t (
        key bigint, id text, generation bigint, version bigint, digest text, messages bigint, turns bigint,
        "titleKey" bigint, title text, waiting text)
      on conflict (key) do update set id = excluded.id, generation = excluded.generation, version = excluded.version,
        digest = excluded.digest, messages = excluded.messages, turns = excluded.turns, title_key = excluded.title_key,
        title = excluded.title, waiting = excluded.waiting
    `.execute(db);
  }
  if (batch.frequencies.length > 0) {
    const rows = batch.frequencies.map(([term, passages]) => ({ term, passages }));
    await sql`
      insert into thread_search_frequency as known
      select term, passages from json_to_recordset(${JSON.stringify(rows)}::json) as t (term text, passages bigint)
      on conflict (term) do update set passages = known.passages + excluded.passages
    `.execute(db);
  }
  const { passages, terms, nextKey, change } = batch.state;
  await sql`
    update thread_search_state set revision = revision + 1, passages = ${passages}, terms = ${terms},
      next_key = ${nextKey}, change = ${change}
  `.execute(db);
  return true;
}

function passageRows({ passages, bytes }: PassagePiece) {
  const text = Buffer.from(bytes.buffer);
  return passages.map(({ key, thread, record, turn, role, at, atMs, length, body, names, repeats, end }) => ({
    key,
    thread,
    record,
    turn,
    role,
    at,
    at_ms: atMs,
    length,
    repeats: text.toString("utf8", repeats, end),
    found_by: vectorOf(termsIn(text.toString("utf8", body, names)), termsIn(text.toString("utf8", names, repeats))),
  }));
}

/** Most passages have no names. */
function termsIn(text: string): string[] {
  return text === "" ? [] : text.split(" ");
}

/** Terms are letters, digits and marks: between quotes, they stand for themselves. A name is known by its `=`. */
function vectorOf(body: readonly string[], names: readonly string[]): string {
  const places = new Map<string, number[]>();
  for (const [index, term] of body.entries()) {
    const known = places.get(term);
    if (known === undefined) places.set(term, [index + 1]);
    // It keeps no more than 256 of them.
    else if (known.length < 255) known.push(index + 1);
  }
  const terms = Array.from(places, ([term, at]) => `'${term}':${at.join(",")}`);
  return [...terms, ...names.map((name) => `'=${name}'`)].join(" ");
}

/** The literal of an array of texts: terms need no escapes. */
function arrayOf(terms: readonly string[]): string {
  return `{${terms.map((term) => `"${term}"`).join(",")}}`;
}
