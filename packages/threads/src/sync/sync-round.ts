import { statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ThreadId } from "@loom/core";
import type { ProcessIdentity } from "../process-identity.ts";
import { threadFile } from "../thread-store.ts";
import { summarise } from "../thread-summary.ts";
import { isChanged, isOfOneThread, isToWait, nextFailure, nextFailureOfThread } from "./failure.ts";
import { pendingThreads } from "./pending-threads.ts";
import { Reconciler } from "./reconciler.ts";
import { type Failure, freshState, type SyncJournal, type ThreadSyncState } from "./sync-journal.ts";
import { leaveNotice } from "./thread-notices.ts";
import { type RemoteCall, RemoteError, type ThreadChange, type ThreadRemote } from "./thread-remote.ts";

export type ThreadSyncOptions = {
  /** Of the threads, usually `$XDG_DATA_HOME/loom/threads`. */
  readonly directory: string;
  /** What is remembered of this server, usually below `$XDG_STATE_HOME/loom/sync`. May be deleted at any time. */
  readonly stateDirectory: string;
  readonly remote: ThreadRemote;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
};

export type SyncRequest = {
  /** Ends the round; what was done stays done, and the next round goes on from there. */
  readonly signal: AbortSignal;
  /** The thread that a person is waiting for. */
  readonly first?: ThreadId;
  /** A person asks: also what is to wait after a failure is tried. */
  readonly hurry?: boolean;
  /** The server is asked once which long outputs of settled threads it lacks, and gets them. Reads all of these threads. */
  readonly checkOutputs?: boolean;
};

export type SyncOutcome =
  /** `open`: threads that have to wait until a session is over. `failed`: threads that will be tried again. */
  | { readonly type: "done"; readonly settled: number; readonly open: number; readonly failed: number }
  /** Another process of this machine is at it. */
  | { readonly type: "busy"; readonly holder: ProcessIdentity }
  /** After a failure, until `nextTryAt`. */
  | { readonly type: "waiting"; readonly failure: Failure }
  | { readonly type: "failed"; readonly failure: Failure };

/** Threads that are worked at side by side. */
const WORKERS = 16;
/** So many requests in a row that the server fails to answer, and it counts as out of order. */
const FAILURES_IN_A_ROW = 3;
/** All threads of the server are looked through so often, whatever the cursor says. */
const LOOK_THROUGH_MS = 24 * 60 * 60_000;
const BREATH_THREADS = 200;

/** One round of sync: asks what has changed, and works at the threads that are not the same here and there. */
export class SyncRound {
  readonly #options: ThreadSyncOptions;
  readonly #journal: SyncJournal;
  readonly #request: SyncRequest;
  readonly #call: RemoteCall;
  readonly #abort = new AbortController();
  readonly #reconciler: Reconciler;
  /** Threads that came to be in this round, or were changed elsewhere meanwhile. */
  readonly #more = new Set<ThreadId>();
  #settled = 0;
  #open = 0;
  #failed = 0;
  #failuresInARow = 0;

  constructor(options: ThreadSyncOptions, journal: SyncJournal, request: SyncRequest) {
    this.#options = options;
    this.#journal = journal;
    this.#request = request;
    this.#call = { signal: AbortSignal.any([request.signal, this.#abort.signal]) };
    const { directory, stateDirectory, remote, now } = options;
    const notify = (name: string, text: string) => leaveNotice(stateDirectory, name, text);
    this.#reconciler = new Reconciler({ directory, remote, journal, now, notify });
  }

  async run(): Promise<SyncOutcome> {
    const { now, random } = this.#options;
    try {
      await this.#hearWhatChanged();
      await this.#workAt(this.#threads());
      // What this round has sent is behind the cursor then: a server that forgets it can be told so.
      if (this.#settled > 0) await this.#hearWhatChanged();
      while (this.#more.size > 0) await this.#workAt(this.#takeMore());
      await this.#workAt(this.#lackingThreads(), (id) => this.#lateOutputs(id));
      if (this.#request.checkOutputs === true) {
        await this.#workAt([...this.#journal.threads.keys()].values(), (id) => this.#lostOutputs(id));
      }
    } catch (error) {
      this.#request.signal.throwIfAborted();
      if (!(error instanceof RemoteError)) throw error;
      const failure = nextFailure(this.#journal.server.failure, error, now(), random);
      this.#journal.putServer({ ...this.#journal.server, failure });
      return { type: "failed", failure };
    }
    const { failure: _, underway: __, ...server } = this.#journal.server;
    this.#journal.putServer({ ...server, succeededAt: now() });
    return { type: "done", settled: this.#settled, open: this.#open, failed: this.#failed };
  }

  /** The first thing that went wrong with the round as a whole. */
  #fault: unknown;

  #takeMore(): Iterator<ThreadId> {
    const ids = [...this.#more];
    this.#more.clear();
    return ids.values();
  }

  async #workAt(
    threads: AsyncIterator<ThreadId> | Iterator<ThreadId>,
    one = (id: ThreadId) => this.#one(id),
  ): Promise<void> {
    const results = await Promise.allSettled(Array.from({ length: WORKERS }, () => this.#work(threads, one)));
    for (const result of results) if (result.status === "rejected") throw this.#fault ?? result.reason;
  }

  async #work(
    threads: AsyncIterator<ThreadId> | Iterator<ThreadId>,
    one: (id: ThreadId) => Promise<void>,
  ): Promise<void> {
    for (;;) {
      const { done, value } = await threads.next();
      if (done === true) return;
      try {
        await one(value);
      } catch (error) {
        this.#fault ??= error;
        this.#abort.abort();
        throw error;
      }
    }
  }

  async #one(id: ThreadId): Promise<void> {
    if (this.#journal.server.underway === undefined) {
      this.#journal.putServer({ ...this.#journal.server, underway: true });
    }
    await this.#tryAt(
      async () => {
        const { type, madeThreads } = await this.#reconciler.reconcile(id, this.#call);
        for (const made of madeThreads) this.#more.add(made);
        if (type === "settled") this.#settled += 1;
        else this.#open += 1;
      },
      (error) => {
        this.#failed += 1;
        const { directory, now, random } = this.#options;
        const state = this.#journal.thread(id);
        const failure = nextFailureOfThread(state.failure, error, threadFile(directory, id), now(), random);
        this.#journal.putThread({ ...state, failure });
      },
    );
  }

  #lateOutputs(id: ThreadId): Promise<void> {
    return this.#tryAt(
      () => this.#reconciler.outputs.getLate(id, this.#call),
      (error) => {
        const { now, random } = this.#options;
        const state = this.#journal.thread(id);
        const { lacking } = state;
        if (lacking === undefined) return;
        const failure = nextFailure(lacking.failure, error, now(), random);
        this.#journal.putThread({ ...state, lacking: { ...lacking, failure } });
      },
    );
  }

  #lostOutputs(id: ThreadId): Promise<void> {
    return this.#tryAt(
      () => this.#reconciler.outputs.sendLost(id, this.#call),
      (error) => {
        this.#failed += 1;
        const text = `The server was not sent all long outputs of thread ${id}: ${error.message}`;
        leaveNotice(this.#options.stateDirectory, `${id}-outputs`, text);
      },
    );
  }

  /** What fails for one thread alone is remembered, and the others go on, unless the server fails again and again. */
  async #tryAt(work: () => Promise<void>, onFailure: (error: Error) => void): Promise<void> {
    try {
      await work();
      this.#failuresInARow = 0;
    } catch (error) {
      if (this.#call.signal.aborted || !isOfOneThread(error)) throw error;
      onFailure(error);
      if (error instanceof RemoteError && error.kind === "request") this.#failuresInARow += 1;
      if (this.#failuresInARow >= FAILURES_IN_A_ROW) throw error;
    }
  }

  /** Threads whose outputs may have come to the server since it was asked for them. */
  *#lackingThreads(): Generator<ThreadId, void> {
    for (const { id, fate, synced, lacking } of [...this.#journal.threads.values()]) {
      if (lacking === undefined || !lacking.isDue || fate !== undefined || synced.version === 0) continue;
      const { failure } = lacking;
      const isHeldBack = failure !== undefined && isToWait(failure, this.#options.now());
      if (!isHeldBack || this.#request.hurry === true) yield id;
    }
  }

  /** What is to be looked at, one after the other. */
  async *#threads(): AsyncGenerator<ThreadId, void> {
    const { directory, now } = this.#options;
    const { first, hurry = false } = this.#request;
    if (first !== undefined) yield first;
    let count = 0;
    for (const id of pendingThreads(this.#options, this.#journal)) {
      if (++count % BREATH_THREADS === 0) await setImmediate();
      const { failure } = this.#journal.thread(id);
      const isHeldBack =
        failure !== undefined && isToWait(failure, now()) && !isChanged(failure, threadFile(directory, id));
      if (isHeldBack && !hurry) continue;
      if (id !== first) yield id;
    }
  }

  async #hearWhatChanged(): Promise<void> {
    const { remote, now } = this.#options;
    const { cursor, lookedThroughAt, underway } = this.#journal.server;
    // What a round has sent that was cut off, a server may have forgotten that was cut off as well.
    const isCutOff = underway === true && this.#settled === 0;
    const isDue = lookedThroughAt === undefined || Math.abs(now() - lookedThroughAt) >= LOOK_THROUGH_MS;
    if (cursor === undefined || isDue || isCutOff) return this.#lookThrough();
    for (let since = cursor; ; ) {
      const page = await remote.changes(since, this.#call);
      if (page.rewound) return this.#lookThrough();
      for (const change of page.changes) this.#note(change);
      if (page.cursor !== since) this.#journal.putServer({ ...this.#journal.server, cursor: page.cursor });
      since = page.cursor;
      if (!page.more) return;
    }
  }

  /** All threads of the server; what it has forgotten is sent once more. */
  async #lookThrough(): Promise<void> {
    const { remote, now } = this.#options;
    const there = new Set<ThreadId>();
    let cursor: string | undefined;
    for (let more = true; more; ) {
      const page = await remote.changes(cursor, this.#call);
      for (const change of page.changes) {
        there.add(change.id);
        this.#note(change);
      }
      ({ cursor, more } = page);
    }
    for (const { id, fate, synced } of this.#journal.threads.values()) {
      if (fate === undefined && synced.version > 0 && !there.has(id)) this.#journal.putThread(freshState(id));
    }
    const changed = cursor === undefined ? {} : { cursor };
    this.#journal.putServer({ ...this.#journal.server, ...changed, lookedThroughAt: now() });
  }

  #note({ id, version, digest, deleted, purged }: ThreadChange): void {
    const { directory } = this.#options;
    const before = this.#journal.thread(id);
    const { lacking } = before;
    const isLate = lacking !== undefined && !lacking.isDue;
    // An output that comes later is a change of its thread, too.
    const state = isLate ? { ...before, lacking: { ...lacking, isDue: true } } : before;
    if (purged) {
      const isHere = this.#journal.threads.has(id) || isFile(threadFile(directory, id));
      if (isHere && state.fate === undefined && state.remote !== "purged") {
        this.#journal.putThread({ ...state, remote: "purged" });
      }
      return;
    }
    if (state.fate === "withdrawn" || state.fate === "detached") return;
    const { fate: _, remote: __, ...known } = state;
    const isKnown = state.synced.version === version && state.synced.digest === digest;
    const inTrash = isKnown ? (state.synced.deleted ?? isInTrash(threadFile(directory, id))) : undefined;
    const isTrashNew = inTrash === !deleted;
    const isNews = state.remote === "purged" || state.remote?.digest !== digest;
    if (!isKnown) this.#journal.putThread({ ...(isNews ? untroubled(known) : known), remote: { version, digest } });
    else if (isTrashNew) this.#journal.putThread({ ...known, trash: deleted });
    else if (state.remote !== undefined || isLate) this.#journal.putThread(known);
    if (this.#settled > 0 && (!isKnown || isTrashNew)) this.#more.add(id);
  }
}

function untroubled({ failure: _, ...state }: ThreadSyncState): ThreadSyncState {
  return state;
}

/** `undefined` where there is no such thread. */
function isInTrash(file: string): boolean | undefined {
  try {
    return summarise(file).deleted;
  } catch {
    return undefined;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
