import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { ThreadTables } from "./migrations.ts";

/** What a change has at hand: the transaction, and the place of the change among all. */
export type ChangeContext = {
  readonly db: Kysely<ThreadTables>;
  /** The next place; one that is higher than all that were ever given out, also before the database was set back. */
  nextChange(): Promise<number>;
};

/**
 * Changes of one kind that cost less together than one by one: what came of each, in their order. One that is refused
 * must have written nothing.
 */
export type Together<Item, Result> = (
  context: ChangeContext,
  items: readonly Item[],
) => Promise<readonly (Result | ProblemError)[]>;

/** `item` is what `work` is about, together with its neighbours of the same `work`. */
type Change = {
  readonly work: Together<unknown, unknown>;
  readonly item: unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** The lock of everything that changes threads. */
const LOCK = "threads";
const MAX_BATCH = 256;
/** For another process's write on SQLite. */
const PATIENCE_MS = 5_000;

/**
 * Changes of threads, one after the other, in few transactions: what comes while one is being written goes with the next
 * one, so that many small appends share the wait for the disk. A change that throws a ProblemError must have written nothing.
 */
export class CommitQueue {
  readonly #database: () => Promise<Database>;
  readonly #now: () => number;
  #waiting: Change[] = [];
  #running = false;

  constructor(database: () => Promise<Database>, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** Resolves when the change is on disk. */
  commit<Result>(work: (context: ChangeContext) => Promise<Result>): Promise<Result> {
    return this.commitTogether(alone, work) as Promise<Result>;
  }

  /** As `commit`, for changes of which some tend to come at once. */
  commitTogether<Item, Result>(work: Together<Item, Result>, item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        work: work as Together<unknown, unknown>,
        item,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    let last: Promise<unknown> = Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#gather();
      const batch = this.#waiting.splice(0, MAX_BATCH);
      try {
        const settle = await this.#write(batch);
        // One batch waits for the disk while the next one is written, and no more.
        await last;
        last = this.#synced(batch, settle);
      } catch (error) {
        // One of them may have spoilt it for the others.
        if (batch.length === 1) batch[0]?.reject(error);
        else for (const change of batch) await this.#alone(change);
      }
    }
    this.#running = false;
    await last;
  }

  /** Lets those come who are on their way: what a commit has kept from being read meanwhile. */
  async #gather(): Promise<void> {
    for (let count = -1; count < this.#waiting.length && this.#waiting.length < MAX_BATCH; ) {
      count = this.#waiting.length;
      await new Promise(setImmediate);
    }
  }

  async #alone(change: Change): Promise<void> {
    try {
      await this.#synced([change], await this.#write([change]));
    } catch (error) {
      change.reject(error);
    }
  }

  /** Tells what has come of the changes once they are on disk. Never rejects. */
  async #synced(batch: readonly Change[], settle: () => void): Promise<void> {
    try {
      await (await this.#database()).sync();
      settle();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  async #write(batch: readonly Change[]): Promise<() => void> {
    const database = await this.#database();
    // The wait for the disk is `sync`, which holds up nobody.
    const done = await database.writeBehind<ThreadTables, (() => void)[]>(
      async (db) => {
        const context = { db, nextChange: placesIn(db, this.#now) };
        const settled: (() => void)[] = [];
        for (const run of runsOf(batch)) {
          const results = await run.work(
            context,
            run.changes.map(({ item }) => item),
          );
          for (const [index, { resolve, reject }] of run.changes.entries()) {
            const result = results[index];
            settled.push(() => (result instanceof ProblemError ? reject(result) : resolve(result)));
          }
        }
        return settled;
      },
      { lock: LOCK, patienceMs: PATIENCE_MS },
    );
    return () => {
      for (const settle of done) settle();
    };
  }
}

/** Works done one by one. */
async function alone(context: ChangeContext, works: readonly unknown[]): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  for (const work of works as readonly ((context: ChangeContext) => Promise<unknown>)[]) {
    try {
      results.push(await work(context));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      results.push(error);
    }
  }
  return results;
}

/** Neighbours of one kind, in the order in which all of them came. */
function runsOf(batch: readonly Change[]): { readonly work: Change["work"]; readonly changes: Change[] }[] {
  const runs: { readonly work: Change["work"]; readonly changes: Change[] }[] = [];
  for (const change of batch) {
    const last = runs.at(-1);
    if (last?.work === change.work) last.changes.push(change);
    else runs.push({ work: change.work, changes: [change] });
  }
  return runs;
}

/** Microseconds since 1970 where the clock goes forward, so that a copy of yesterday's database gives out no place twice. */
function placesIn(db: Kysely<ThreadTables>, now: () => number): () => Promise<number> {
  let last: number | undefined;
  return async () => {
    if (last === undefined) {
      const row = await db
        .selectFrom("thread")
        .select(({ fn }) => fn.max("change").as("newest"))
        .executeTakeFirst();
      last = row?.newest ?? 0;
    }
    last = Math.max(last + 1, Math.floor(now()) * 1_000);
    return last;
  };
}
