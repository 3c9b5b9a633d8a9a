import type { LedgerEntry, LedgerFollower } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import type { Journal } from "../../kit/journal/journal.ts";
import { recoverLeftovers } from "../../kit/journal/leftover-segments.ts";
import { entryOf } from "./entry-line.ts";
import { createLedgerStore, type LedgerStore } from "./store.ts";

export type JournalMoverOptions = {
  readonly journal: Journal<LedgerEntry>;
  readonly directory: string;
  readonly database: Database;
  readonly follower?: LedgerFollower | undefined;
  readonly warn: (message: string) => void;
  readonly now: () => number;
};

/** A transaction of so many rows takes some milliseconds, during which no stream of this process goes on. */
const TRANSACTION_ROWS = 256;
const PURGE_ROWS = 500;

/** Moves rows from journal files into the database. */
export class JournalMover {
  readonly #options: JournalMoverOptions;
  readonly #store: LedgerStore;
  #sawOthers = false;

  constructor(options: JournalMoverOptions) {
    this.#options = options;
    this.#store = createLedgerStore(options.database);
  }

  /** Whether files wait for the follower. */
  get isHeld(): boolean {
    return this.#options.follower?.isBehind === true;
  }

  /**
   * `all`: the follower, too, passes on everything.
   * @throws what the database or the disk has against it; the rows are still in the journal then.
   */
  async move({ all }: { readonly all: boolean }): Promise<void> {
    const { follower } = this.#options;
    try {
      await this.#moveRows();
    } finally {
      await follower?.tell({ all });
    }
    await this.#release();
  }

  /** One transaction, where as many rows wait as make a full one. @throws as `move` does */
  async moveFull(): Promise<void> {
    const { journal, follower } = this.#options;
    if (journal.hasWholeChunk && follower?.isFull !== true) await this.#moveNext();
  }

  /** Those that wait now: under load there may be more for ever. What the follower has no room for stays. */
  async #moveRows(): Promise<void> {
    const { journal, follower } = this.#options;
    if (!this.#sawOthers) await this.recover({ alsoLive: true });
    this.#sawOthers = true;
    if (follower?.isFull === true) await follower.tell({ all: false });
    for (let left = journal.waitingBytes; left > 0 && follower?.isFull !== true; ) {
      const bytes = await this.#moveNext();
      if (bytes === 0) break;
      left -= bytes;
      await nextTurn();
      if (left <= 0) break;
      // Between two chunks, too: at the end of a long pass there are always some that are not due.
      await follower?.tell({ all: false });
      await this.#release();
    }
  }

  /** One transaction. Gives how many bytes of the journal it took; 0: nothing waits. */
  async #moveNext(): Promise<number> {
    const { journal, follower } = this.#options;
    const chunk = await journal.next();
    if (chunk === undefined) return 0;
    await this.#store.insert(chunk.entries);
    chunk.take();
    follower?.see(chunk.entries);
    return chunk.bytes;
  }

  async #release(): Promise<void> {
    const { journal, database } = this.#options;
    if (!this.isHeld) await journal.release(() => database.sync());
  }

  /**
   * Brings in what other processes left. `alsoLive`: also what those that still run have not moved themselves. What the
   * follower cannot pass on now stays in their journals, too.
   */
  async recover({ alsoLive }: { readonly alsoLive: boolean }): Promise<void> {
    const { directory, journal, database, follower, warn, now } = this.#options;
    const store = this.#store;
    let canTell = (await follower?.tell({ all: false })) ?? true;
    const stored: LedgerEntry[] = [];
    await recoverLeftovers({
      directory,
      owns: (path) => journal.owns(path),
      entryOf,
      async insert(entries, { abandoned }) {
        await store.insert(entries);
        // Whoever lives passes on its own rows. Those of a file together: where one fails, all of them come again.
        if (abandoned && canTell) stored.push(...entries);
        await nextTurn();
      },
      async committed() {
        if (!canTell) return false;
        follower?.see(stored.splice(0));
        canTell = (await follower?.tell({ all: true })) ?? true;
        await database.sync();
        return canTell;
      },
      maxRows: TRANSACTION_ROWS,
      warn,
      now,
      alsoLive,
    });
  }

  async purge(beforeMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.#store.purge(beforeMs, PURGE_ROWS)) === PURGE_ROWS) await nextTurn();
  }
}

/** Lets everything else of this process go on. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
