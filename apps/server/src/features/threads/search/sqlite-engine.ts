import { dirname, join } from "node:path";
import { sql } from "kysely";
import { DatabaseUnavailable, withSqliteOutageNamed } from "../../../kit/database-error.ts";
import { sqlValue } from "../../../kit/sql-value.ts";
import type { IndexedThread, IndexState, SearchDialect, SearchEngine } from "./index-types.ts";
import { fts5Match } from "./match.ts";
import { repeatMark } from "./passages.ts";
import { runIndexWorker, type WorkerAnswer, type WorkerFiles, type WorkerQuestion } from "./sqlite-worker.ts";

/** Raised with every change of the index's tables or of how text is told apart: an older index is then made anew. */
const INDEX_VERSION = 3;

/** Batches that are written before what they left to be merged is merged along with the next ones: a search looks into each. */
const MAX_UNMERGED = 256;
/** More than a batch adds, and over in some hundred milliseconds. */
const STEPS_PER_BATCH = 8;

/** In this order: a match comes newest first, and the rest is looked up by key until there are enough. */
const DIALECT: SearchDialect = {
  candidates: sql`search_text cross join search_passage as p on p.key = search_text.rowid
    cross join search_thread as s on s.key = p.thread
    cross join thread on thread.key = p.thread and thread.id = s.id and thread.generation = s.generation`,
  matches: (plan) => sql`search_text match ${fts5Match(plan)}`,
  passages: sql`search_passage`,
  threads: sql`search_thread`,
  newestFirst: sql`search_text.rowid desc`,
  countOf: (term) => {
    const [mark, length] = repeatMark(term);
    const at = sql`nullif(instr(p.repeats, ${mark}), 0)`;
    return sql`coalesce(cast(substr(p.repeats, ${at} + ${length}, 6) as integer), 1)`;
  },
  greatest: "max",
};

const AWAY = "The Loom server cannot use its index of threads at the moment: try again.";

type WithoutId<Question> = Question extends WorkerQuestion ? Omit<Question, "id"> : never;

/** The index in a file of its own beside the database, kept and asked in a thread of its own: nobody else waits for it. */
export async function openSqliteEngine(database: string): Promise<SearchEngine> {
  const { Worker } = await import("node:worker_threads");
  const files: WorkerFiles = {
    index: join(dirname(database), "thread-search.sqlite"),
    threads: database,
    version: INDEX_VERSION,
  };
  const worker = new Worker(`(${runIndexWorker.toString()})()`, {
    eval: true,
    workerData: files,
    name: "thread-search",
  });
  const waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  >();
  let last = 0;
  let broken: Error | undefined;
  const ended = Promise.withResolvers<void>();
  const giveUp = (reason: string): void => {
    broken ??= new DatabaseUnavailable(`The index of threads ${files.index} cannot be used (${reason}).`, {
      tells: AWAY,
    });
    for (const { reject } of waiting.values()) reject(broken);
    waiting.clear();
    ended.resolve();
  };
  worker.on("message", ({ id, value, error, errcode }: WorkerAnswer) => {
    const asker = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    if (error === undefined) asker?.resolve(value);
    else asker?.reject(withSqliteOutageNamed(Object.assign(new Error(error), { errcode }), files.index));
  });
  worker.on("error", (error) => giveUp(String(error)));
  worker.on("exit", () => giveUp("its thread has ended"));
  worker.unref();

  /** `given`: what the other thread gets, and this one no longer has. */
  function ask<Value>(question: WithoutId<WorkerQuestion>, given: readonly ArrayBuffer[] = []): Promise<Value> {
    if (broken !== undefined) return Promise.reject(broken);
    return new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve: resolve as (value: unknown) => void, reject });
      worker.ref();
      worker.postMessage({ ...question, id: last }, given);
    });
  }
  const rows = <Row>(sql: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> =>
    ask({ type: "rows", sql, parameters: parameters.map((value) => sqlValue(value) as string | number | null) });
  // Whoever was killed may have left much.
  let unmerged = MAX_UNMERGED;
  /** Between two steps, others have a turn. */
  async function merge(until: () => boolean): Promise<void> {
    while (unmerged > 0 && !until()) {
      if (!(await ask<boolean>({ type: "merge" }))) unmerged = 0;
    }
  }
  return {
    dialect: DIALECT,
    async state() {
      const [state] = await rows<IndexState>(
        "SELECT revision, passages, terms, next_key AS nextKey, change FROM search_state",
      );
      if (state === undefined) throw new Error("The index of threads has no state.");
      return state;
    },
    async indexed(keys) {
      const found = await rows<IndexedThread>(
        `SELECT key, id, generation, version, digest, messages, turns, title_key AS titleKey, title, waiting
         FROM search_thread
         WHERE key IN (SELECT value FROM json_each(?))`,
        [JSON.stringify(keys)],
      );
      return new Map(found.map((row) => [row.key, row]));
    },
    async frequencies(terms) {
      const marks = terms.map(() => "?").join(", ");
      const found = await rows<{ term: string; passages: number }>(
        `SELECT term, passages FROM search_frequency WHERE term IN (${marks})`,
        terms,
      );
      return new Map(found.map(({ term, passages }) => [term, passages]));
    },
    async write({ revision, dropped, droppedPassages, pieces, ...rest }) {
      let steps = 0;
      if (unmerged >= MAX_UNMERGED) await merge(() => steps++ === STEPS_PER_BATCH);
      const isCurrent = await ask<boolean>({ type: "begin", revision, dropped, droppedPassages });
      if (!isCurrent) return false;
      let written = Promise.resolve();
      for (const piece of pieces) {
        const next = ask<void>({ type: "passages", ...piece }, [piece.bytes.buffer]);
        // It is waited for in the next round, or never where this one fails.
        next.catch(() => undefined);
        // One waits there while another is written.
        await written;
        written = next;
      }
      await written;
      await ask({ type: "commit", ...rest });
      unmerged += 1;
      return true;
    },
    tidy: merge,
    rows: ({ sql, parameters }) => rows(sql, parameters),
    ended: ended.promise,
    async close() {
      if (broken === undefined) await ask({ type: "close" }).catch(() => undefined);
      await worker.terminate();
    },
  };
}
