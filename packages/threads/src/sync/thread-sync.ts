import type { ThreadId } from "@loom/core";
import { askForLease } from "../lease.ts";
import { isToWait } from "./failure.ts";
import { pendingThreads } from "./pending-threads.ts";
import { type Failure, hasMore, SyncJournal } from "./sync-journal.ts";
import { type SyncOutcome, type SyncRequest, SyncRound, type ThreadSyncOptions } from "./sync-round.ts";
import { takeNotices } from "./thread-notices.ts";

export type { ProcessIdentity } from "../process-identity.ts";
export type { Failure } from "./sync-journal.ts";
export type { SyncOutcome, SyncRequest, ThreadSyncOptions } from "./sync-round.ts";
export type {
  ChangesPage,
  RecordsAnswer,
  RemoteCall,
  ThreadChange,
  ThreadRemote,
  ThreadVersion,
  WriteAnswer,
} from "./thread-remote.ts";
export { RemoteError } from "./thread-remote.ts";

export type SyncStatus = {
  /** Threads of which something is here or there only, as far as is known. */
  readonly pending: number;
  /** Of them, those that failed by themselves. */
  readonly failures: readonly { readonly id: ThreadId; readonly failure: Failure }[];
  /** Threads that go up only to a record that is longer than the server takes: `most`, in bytes. */
  readonly tooLong: readonly {
    readonly id: ThreadId;
    readonly record: number;
    readonly bytes: number;
    readonly most: number;
  }[];
  /** Threads that the server has removed but that hold what was only here. */
  readonly detached: readonly ThreadId[];
  /** Threads that were taken back from the server. */
  readonly withdrawn: readonly ThreadId[];
  /** Threads with outputs that are neither here nor, as far as is known, on the server yet. `more`: at least so many. */
  readonly lacking: readonly { readonly id: ThreadId; readonly outputs: number; readonly more?: true }[];
  /** Why nothing works now, while that is so. */
  readonly failure?: Failure;
  readonly succeededAt?: number;
};

/**
 * Keeps the threads of this machine and those of the person on a server the same. One process of a machine does so at a
 * time. Nothing is sent while a thread is private. Memory is bounded: records go through in batches.
 */
export class ThreadSync {
  readonly #options: ThreadSyncOptions;

  constructor(options: ThreadSyncOptions) {
    this.#options = options;
  }

  /** One round. Never throws, but for an aborted signal and faults of our own. */
  async run(request: SyncRequest): Promise<SyncOutcome> {
    const { stateDirectory, now } = this.#options;
    const lease = askForLease(stateDirectory, "sync");
    if (!("release" in lease)) return { type: "busy", holder: lease };
    const journal = new SyncJournal(stateDirectory);
    try {
      const { failure } = journal.server;
      if (failure !== undefined && request.hurry !== true && isToWait(failure, now())) {
        return { type: "waiting", failure };
      }
      return await new SyncRound(this.#options, journal, request).run();
    } finally {
      journal.close();
      lease.release();
    }
  }

  /** As far as this machine knows; asks nobody. */
  status(): SyncStatus {
    const journal = new SyncJournal(this.#options.stateDirectory);
    const { maxRecordBytes: most } = this.#options.remote;
    const pending = [...pendingThreads(this.#options, journal)];
    const states = [...journal.threads.values()];
    const { failure, succeededAt } = journal.server;
    return {
      pending: pending.length,
      failures: pending.flatMap((id) => {
        const { failure: own } = journal.thread(id);
        return own === undefined ? [] : [{ id, failure: own }];
      }),
      tooLong: states.flatMap(({ id, tooLong }) => (tooLong === undefined ? [] : [{ id, ...tooLong, most }])),
      detached: states.flatMap(({ id, fate }) => (fate === "detached" ? [id] : [])),
      withdrawn: states.flatMap(({ id, fate }) => (fate === "withdrawn" ? [id] : [])),
      lacking: states.flatMap(({ id, fate, lacking }) =>
        lacking === undefined || fate !== undefined
          ? []
          : [{ id, outputs: lacking.outputs.length, ...(hasMore(lacking) ? { more: true } : {}) }],
      ),
      ...(failure === undefined ? {} : { failure }),
      ...(succeededAt === undefined ? {} : { succeededAt }),
    };
  }

  /** Sentences that the person has not read yet, e.g. of threads that were continued on two machines. Given once. */
  takeNotices(): string[] {
    return takeNotices(this.#options.stateDirectory);
  }
}
