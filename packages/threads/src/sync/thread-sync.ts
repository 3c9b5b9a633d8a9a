import { statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ThreadId } from "@loom/core";
import { systemCode, ThreadError } from "../errors.ts";
import { askForLease } from "../lease.ts";
import type { ProcessIdentity } from "../process-identity.ts";
import { threadFile, threadIds } from "../thread-store.ts";
import { summarise } from "../thread-summary.ts";
import { readTombstones } from "../tombstones.ts";
import { backoffMs } from "./backoff.ts";
import { Reconciler } from "./reconciler.ts";
import type { FileState } from "./survey.ts";
import { type Failure, freshState, SyncJournal, type ThreadSyncState } from "./sync-journal.ts";
import { leaveNotice, takeNotices } from "./thread-notices.ts";
import { type RemoteCall, RemoteError, type ThreadChange, type ThreadRemote } from "./thread-remote.ts";

export type { ProcessIdentity } from "../process-identity.ts";
export type { Failure } from "./sync-journal.ts";
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
};

export type SyncOutcome =
  /** `open`: threads that have to wait until a session is over. `failed`: threads that will be tried again. */
  | { readonly type: "done"; readonly settled: number; readonly open: number; readonly failed: number }
  /** Another process of this machine is at it. */
  | { readonly type: "busy"; readonly holder: ProcessIdentity }
  /** After a failure, until `nextTryAt`. */
  | { readonly type: "waiting"; readonly failure: Failure }
  | { readonly type: "failed"; readonly failure: Failure };

export type SyncStatus = {
  /** Threads of which something is here or there only, as far as is known. */
  readonly pending: number;
  /** Of them, those that failed by themselves. */
  readonly failures: readonly { readonly id: ThreadId; readonly failure: Failure }[];
  /** Threads that go up only to a record that is longer than the server takes. */
  readonly tooLong: readonly { readonly id: ThreadId; readonly record: number; readonly bytes: number }[];
  /** Threads that the server has removed but that hold what was only here. */
  readonly detached: readonly ThreadId[];
  /** Threads that were taken back from the server. */
  readonly withdrawn: readonly ThreadId[];
  /** Threads with outputs that are neither here nor, as far as is known, on the server yet. */
  readonly lacking: readonly { readonly id: ThreadId; readonly outputs: number }[];
  /** Why nothing works now, while that is so. */
  readonly failure?: Failure;
  readonly succeededAt?: number;
};

/** Threads that are worked at side by side. */
const WORKERS = 16;
/** So many requests in a row that the server fails to answer, and it counts as out of order. */
const FAILURES_IN_A_ROW = 3;
/** All threads of the server are looked through so often, whatever the cursor says. */
const LOOK_THROUGH_MS = 24 * 60 * 60_000;
const BREATH_THREADS = 200;

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
      return await new Round(this.#options, journal, request).run();
    } finally {
      journal.close();
      lease.release();
    }
  }

  /** As far as this machine knows; asks nobody. */
  status(): SyncStatus {
    const journal = new SyncJournal(this.#options.stateDirectory);
    const pending = [...pendingThreads(this.#options, journal)];
    const states = [...journal.threads.values()];
    const { failure, succeededAt } = journal.server;
    return {
      pending: pending.length,
      failures: pending.flatMap((id) => {
        const { failure: own } = journal.thread(id);
        return own === undefined ? [] : [{ id, failure: own }];
      }),
      tooLong: states.flatMap(({ id, tooLong }) => (tooLong === undefined ? [] : [{ id, ...tooLong }])),
      detached: states.flatMap(({ id, fate }) => (fate === "detached" ? [id] : [])),
      withdrawn: states.flatMap(({ id, fate }) => (fate === "withdrawn" ? [id] : [])),
      lacking: states.flatMap(({ id, fate, lacking }) =>
        lacking === undefined || fate !== undefined ? [] : [{ id, outputs: lacking.outputs.length }],
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

class Round {
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
    try {
      const { type, madeThreads } = await this.#reconciler.reconcile(id, this.#call);
      for (const made of madeThreads) this.#more.add(made);
      this.#failuresInARow = 0;
      if (type === "settled") this.#settled += 1;
      else this.#open += 1;
    } catch (error) {
      if (this.#call.signal.aborted || !isOfOneThread(error)) throw error;
      this.#failed += 1;
      const { directory, now, random } = this.#options;
      const state = this.#journal.thread(id);
      const failure = nextFailure(state.failure, error, now(), random);
      const refused = isRefusal(error) ? fileState(threadFile(directory, id)) : undefined;
      this.#journal.putThread({ ...state, failure: refused === undefined ? failure : asRefused(failure, refused) });
      this.#countFailure(error);
    }
  }

  #countFailure(error: Error): void {
    if (error instanceof RemoteError && error.kind === "request") this.#failuresInARow += 1;
    if (this.#failuresInARow >= FAILURES_IN_A_ROW) throw error;
  }

  async #lateOutputs(id: ThreadId): Promise<void> {
    try {
      await this.#reconciler.fetchLateOutputs(id, this.#call);
      this.#failuresInARow = 0;
    } catch (error) {
      if (this.#call.signal.aborted || !isOfOneThread(error)) throw error;
      const { now, random } = this.#options;
      const state = this.#journal.thread(id);
      const { lacking } = state;
      if (lacking === undefined) return;
      const failure = nextFailure(lacking.failure, error, now(), random);
      this.#journal.putThread({ ...state, lacking: { ...lacking, failure } });
      this.#countFailure(error);
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
      const isHeldBack = failure !== undefined && isToWait(failure, now()) && !isChanged(failure, directory, id);
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

/** The threads that are not known to be the same here and there. */
function* pendingThreads(
  { directory, remote: { maxRecordBytes } }: Pick<ThreadSyncOptions, "directory" | "remote">,
  journal: SyncJournal,
): Generator<ThreadId, void> {
  const here = new Set(threadIds(directory));
  for (const id of here) {
    const { seen, remote, trash, tooLong } = journal.thread(id);
    const stat = statSync(threadFile(directory, id), { throwIfNoEntry: false });
    const isAsSeen = seen !== undefined && seen.size === stat?.size && seen.mtimeMs === stat.mtimeMs;
    const fitsNow = tooLong !== undefined && tooLong.bytes <= maxRecordBytes;
    if (!isAsSeen || remote !== undefined || trash !== undefined || fitsNow) yield id;
  }
  for (const { id, private: isPrivate } of readTombstones(directory)) {
    const { fate, synced, remote } = journal.thread(id);
    const isNowhereElse = isPrivate && synced.version === 0 && remote === undefined;
    if (!here.has(id) && fate !== "removed" && !isNowhereElse) yield id;
  }
  for (const { id, fate, synced, remote } of [...journal.threads.values()]) {
    if (!here.has(id) && fate === undefined && (synced.version > 0 || remote !== undefined)) yield id;
  }
}

function isToWait({ at, nextTryAt }: Failure, now: number): boolean {
  // A clock that was set back must not make the wait longer.
  return now < nextTryAt && now >= at;
}

/** What the server would not take has become something else. */
function isChanged({ refused }: Failure, directory: string, id: ThreadId): boolean {
  if (refused === undefined) return false;
  const now = fileState(threadFile(directory, id));
  return now?.size !== refused.size || now.mtimeMs !== refused.mtimeMs;
}

/** A later server may take it, so that it is asked again after a day. */
function asRefused(failure: Failure, refused: FileState): Failure {
  return { ...failure, nextTryAt: failure.at + LOOK_THROUGH_MS, refused };
}

function isRefusal(error: Error): boolean {
  return error instanceof RemoteError && error.kind === "refused";
}

function untroubled({ failure: _, ...state }: ThreadSyncState): ThreadSyncState {
  return state;
}

function fileState(path: string): FileState | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && { size: stat.size, mtimeMs: stat.mtimeMs };
}

function nextFailure(before: Failure | undefined, error: Error, now: number, random: () => number): Failure {
  const count = (before?.count ?? 0) + 1;
  const retryAfterMs = error instanceof RemoteError ? (error.retryAfterMs ?? 0) : 0;
  return { count, at: now, nextTryAt: now + backoffMs(count, random, retryAfterMs), message: error.message };
}

/** Other threads may go well all the same. */
function isOfOneThread(error: unknown): error is Error {
  if (error instanceof RemoteError) return error.kind !== "server";
  return error instanceof ThreadError || systemCode(error) !== undefined;
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
