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

type Change = {
  readonly work: (context: ChangeContext) => Promise<unknown>;
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
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
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
        for (const { work, resolve, reject } of batch) {
          try {
            const result = await work(context);
            settled.push(() => resolve(result));
          } catch (error) {
            if (!(error instanceof ProblemError)) throw error;
            settled.push(() => reject(error));
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
