import { statSync } from "node:fs";
import type { Worker } from "node:worker_threads";

export type CheckpointPace = {
  /** Milliseconds between two checkpoints. */
  readonly everyMs: number;
  /** Commits between two: a database that is seldom written needs none of this. */
  readonly everyCommits: number;
};

const PACE: CheckpointPace = { everyMs: 250, everyCommits: 16 };

/**
 * Pages of the write-ahead log from which on SQLite brings in the rest within a commit, and begins the log anew: 64 MB.
 * Next to nothing is left by then, unless somebody wrote all that in less than a second.
 */
const LONGEST_LOG_PAGES = 16_384;
/** As SQLite has it by itself. */
const USUAL_LOG_PAGES = 1_000;

/** Tells a file from another one that was put in its place. */
type FileIdentity = { readonly dev: number; readonly ino: number };

/**
 * Brings what is in the write-ahead log into the database's file, in a thread beside: that is most of what a database
 * writes, with two waits for the disk, and SQLite would do it within a commit, where this whole process stands still.
 * Made when it is needed first. It never takes the lock of those who write. Where it ends, SQLite does it all after all.
 */
export class SqliteCheckpointer {
  readonly #file: string;
  readonly #identity: FileIdentity;
  readonly #pace: CheckpointPace;
  readonly #setLongestLog: (pages: number) => void;
  #commits = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #working = false;
  #worker: Promise<Worker | undefined> | undefined;
  #ended: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** `setLongestLog`: says to the connection that writes, when SQLite brings in its log by itself. */
  constructor(file: string, setLongestLog: (pages: number) => void, pace: CheckpointPace = PACE) {
    this.#file = file;
    const { dev, ino } = statSync(file);
    this.#identity = { dev, ino };
    this.#setLongestLog = setLongestLog;
    this.#pace = pace;
  }

  /** Something was written. Waits for nothing. */
  committed(): void {
    this.#commits += 1;
    if (this.#working || this.#closing !== undefined || this.#commits < this.#pace.everyCommits) return;
    const now = performance.now();
    if (now - this.#lastAt < this.#pace.everyMs) return;
    this.#lastAt = now;
    this.#commits = 0;
    this.#working = true;
    // Where there can be no thread: `#working` stays, and nobody is asked any more.
    this.#worker ??= this.#start().catch(() => undefined);
    void this.#worker.then((worker) => worker?.postMessage("checkpoint"));
  }

  /** Before the database is closed. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const worker = await this.#worker;
      worker?.ref();
      worker?.postMessage("close");
      await this.#ended;
    })();
    return this.#closing;
  }

  async #start(): Promise<Worker> {
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(`(${runCheckpoints.toString()})()`, {
      eval: true,
      workerData: { file: this.#file, ...this.#identity },
      name: "sqlite-checkpoint",
    });
    this.#ended = new Promise((resolve) => worker.once("exit", () => resolve()));
    worker.on("message", (done: boolean) => {
      this.#setLongestLog(done ? LONGEST_LOG_PAGES : USUAL_LOG_PAGES);
      this.#working = false;
    });
    // It could not open the file, or that is another one by now: `#working` stays, and it is asked no more.
    worker.on("error", () => {});
    worker.once("exit", () => {
      if (this.#closing === undefined) this.#setLongestLog(USUAL_LOG_PAGES);
    });
    worker.unref();
    return worker;
  }
}

/** What runs in the thread beside: it is handed over as text, so it may use nothing from outside of itself. */
function runCheckpoints(): void {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const { statSync } = process.getBuiltinModule("node:fs");
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { file, dev, ino } = workerData as { readonly file: string } & FileIdentity;

  /** @throws where another file was put in its place, or none: what is in the log is not meant for that one. */
  function mustBeTheSame(): void {
    const now = statSync(file);
    if (now.dev !== dev || now.ino !== ino) throw new Error("another file");
  }

  mustBeTheSame();
  const database = new DatabaseSync(file, { timeout: 0 });
  mustBeTheSame();
  const passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");

  parentPort?.on("message", (question: "checkpoint" | "close") => {
    if (question === "close") {
      database.close();
      parentPort.close();
      return;
    }
    mustBeTheSame();
    let isDone = true;
    try {
      passive.get();
    } catch {
      // The disk is full, or does not work: it is tried again with what is written next.
      isDone = false;
    }
    parentPort.postMessage(isDone);
  });
}
