import type { Worker } from "node:worker_threads";

export type CheckpointPace = {
  /** Milliseconds between two checkpoints. */
  readonly everyMs: number;
  /** Syncs between two: a database that is seldom written needs none of this. */
  readonly everySyncs: number;
};

const PACE: CheckpointPace = { everyMs: 1_000, everySyncs: 64 };

/** Pages of the write-ahead log from which on SQLite brings it in by itself, in the middle of somebody's commit: 64 MB. */
export const LONGEST_LOG_PAGES = 16_384;

/**
 * Brings what is in the write-ahead log into the database's file, in a thread beside: that is most of what a database
 * writes, with two waits for the disk, and SQLite would do it within a commit, where this whole process stands still.
 * Made when it is needed first. Where it fails, SQLite does it after all.
 */
export class SqliteCheckpointer {
  readonly #file: string;
  readonly #pace: CheckpointPace;
  #syncs = 0;
  #lastAt = 0;
  #working = false;
  #worker: Promise<Worker | undefined> | undefined;

  constructor(file: string, pace: CheckpointPace = PACE) {
    this.#file = file;
    this.#pace = pace;
  }

  /** Something was written. Waits for nothing. */
  synced(): void {
    this.#syncs += 1;
    if (this.#working || this.#syncs < this.#pace.everySyncs) return;
    const now = performance.now();
    if (now - this.#lastAt < this.#pace.everyMs) return;
    this.#lastAt = now;
    this.#syncs = 0;
    this.#working = true;
    this.#worker ??= this.#start();
    void this.#worker.then((worker) => worker?.postMessage("checkpoint"));
  }

  /** Before the database is closed. */
  async close(): Promise<void> {
    this.#working = true;
    const worker = await this.#worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.ref();
    worker.postMessage("close");
    await ended;
  }

  async #start(): Promise<Worker | undefined> {
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(`(${runCheckpoints.toString()})()`, {
      eval: true,
      workerData: { file: this.#file, longest: LONGEST_LOG_PAGES },
      name: "sqlite-checkpoint",
    });
    worker.on("message", () => {
      this.#working = false;
    });
    // Nobody is asked any more, and SQLite's own bound holds.
    worker.on("error", () => {
      this.#worker = Promise.resolve(undefined);
    });
    worker.unref();
    return worker;
  }
}

/** What runs in the thread beside: it is handed over as text, so it may use nothing from outside of itself. */
function runCheckpoints(): void {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { file, longest } = workerData as { readonly file: string; readonly longest: number };
  /** While somebody writes all the time, the log is never brought in whole; each round leaves less than the one before. */
  const ROUNDS = 4;
  const database = new DatabaseSync(file, { timeout: 100 });
  const passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  const restart = database.prepare("PRAGMA wal_checkpoint(RESTART)");

  function checkpoint(): void {
    for (let round = 0; round < ROUNDS; round++) {
      const { log, checkpointed } = passive.get() as { readonly log: number; readonly checkpointed: number };
      // The next one who writes begins the log anew.
      if (log === checkpointed) return;
      // There is next to nothing left to be done: those who write hardly wait for it.
      if (round === ROUNDS - 1 && log > longest / 2) restart.get();
    }
  }

  parentPort?.on("message", (question: "checkpoint" | "close") => {
    if (question === "close") {
      database.close();
      parentPort.close();
      return;
    }
    try {
      checkpoint();
    } catch {
      // The disk is full, or somebody copies the database: it is tried again next time.
    }
    parentPort.postMessage("done");
  });
}
