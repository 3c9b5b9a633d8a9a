import { renameSync, rmSync, type Stats, statSync } from "node:fs";
import type { ThreadId } from "@loom/core";
import { eraseThread } from "../garbage.ts";
import { askForLease, type Lease } from "../lease.ts";
import { encodeRecord, type Visibility } from "../record.ts";
import { leasesIn, threadFile } from "../thread-store.ts";
import { readTombstone, removeTombstone, type Tombstone } from "../tombstones.ts";
import { Budget } from "./budget.ts";
import { downloadRecords, type Incoming } from "./incoming.ts";
import { mergeIncoming, touch } from "./merge-thread.ts";
import { sendOutputs } from "./output-transfer.ts";
import { BEGINNING, type RecordPoint } from "./record-point.ts";
import { anchorOf, type FileState, pointAt, type Survey, surveyThread } from "./survey.ts";
import { freshState, type SyncJournal, type ThreadSyncState, withLacking } from "./sync-journal.ts";
import { writeBehind } from "./thread-file-writer.ts";
import { ThreadOutputs } from "./thread-outputs.ts";
import {
  type RemoteCall,
  RemoteError,
  type ThreadRemote,
  type ThreadVersion,
  type WriteAnswer,
} from "./thread-remote.ts";
import { MAX_BATCH_BYTES, nextBatch, type UploadBatch } from "./upload-batch.ts";

export type ReconcilerOptions = {
  /** Of the threads. */
  readonly directory: string;
  readonly remote: ThreadRemote;
  readonly journal: SyncJournal;
  readonly now: () => number;
  /** A sentence for the person; under one name it is told once. */
  readonly notify: (name: string, text: string) => void;
};

/**
 * `settled`: the thread is the same here and there, or stays only here. `busy`: it is open in a session, which comes
 * first; what is to be done to its file waits for the next rest.
 */
export type Settlement = { readonly type: "settled" | "busy"; readonly madeThreads: readonly ThreadId[] };

/** One step, after which the thread is looked at again, or not. */
type Step = "again" | "settled" | "busy";

const MAX_STEPS = 20;
/** Of records on their way up and down at once, as they stand in files. */
const MAX_BYTES_UNDERWAY = 16 * 1024 * 1024;
/** What a page of records on its way down counts for. */
const PAGE_BYTES = 2 * 1024 * 1024;

/**
 * Makes one thread the same here and on the server. Everything is found out by comparing, nothing is believed that the
 * journal says, so that any step may be cut off, repeated, or overtaken by a session or another machine.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** What goes with the records of the threads. */
  readonly outputs: ThreadOutputs;
  readonly #underway = new Budget(MAX_BYTES_UNDERWAY);

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.outputs = new ThreadOutputs(options);
  }

  /** @throws RemoteError; ThreadError where the thread is damaged; Node's own errors. */
  async reconcile(id: ThreadId, call: RemoteCall): Promise<Settlement> {
    const madeThreads: ThreadId[] = [];
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      call.signal.throwIfAborted();
      const step = await this.#step(id, call, madeThreads);
      if (step !== "again") return { type: step, madeThreads };
    }
    throw new RemoteError("request", `Thread ${id} changes faster than it can be synced.`);
  }

  async #step(id: ThreadId, call: RemoteCall, madeThreads: ThreadId[]): Promise<Step> {
    const state = this.#options.journal.thread(id);
    const { directory, remote } = this.#options;
    const file = threadFile(directory, id);
    if (!exists(file)) {
      const tombstone = readTombstone(directory, id);
      return tombstone === undefined ? this.#bringDown(state, call) : this.#removeThere(state, tombstone, call);
    }
    if (state.fate === "removed") return this.#save({ ...freshState(id), ...remoteOf(state) }, "again");
    if (state.fate !== undefined) return this.#settle(state, seenNow(file));
    const { outputs } = this.outputs.ends;
    const { maxRecordBytes } = remote;
    const survey = await surveyThread(id, file, state.keptHere ?? state.synced, { maxRecordBytes, outputs });
    if (state.keptHere !== undefined && (!survey.private || state.remote !== undefined)) {
      return this.#save(withoutKeptHere(state), "again");
    }
    if (survey.private) return this.#withdraw(state, survey, call, madeThreads);
    const known = withLacking({ ...state, synced: survey.known }, survey.lacking, true);
    if (known.remote === "purged") return this.#removeHere(known, survey);
    if (known.remote !== undefined) return this.#meet(known, survey, known.remote, call, madeThreads);
    if (known.trash !== undefined) return this.#followTrash(known, survey, known.trash);
    if (survey.sendable.version === survey.known.version) {
      const wish = survey.visibility === undefined ? {} : { wanted: survey.visibility };
      return this.#settleSent({ ...known, ...wish }, survey, call);
    }
    return this.#push(known, survey, call);
  }

  // --- up ------------------------------------------------------------------------------------------------------------

  async #push(start: ThreadSyncState, survey: Survey, call: RemoteCall): Promise<Step> {
    const { remote, journal } = this.#options;
    const { id } = start;
    const file = this.#fileOf(id);
    let state = start;
    const { visibility } = survey;
    if (visibility !== undefined && visibility !== state.wanted) {
      // Before anything is sent: what was sent and not remembered is never asked for.
      state = { ...state, wanted: visibility };
      journal.putThread(state);
    }
    let isRead = survey.added.records.length > 0;
    while (state.synced.version < survey.sendable.version) {
      call.signal.throwIfAborted();
      const from = state.synced;
      const most = Math.max(MAX_BATCH_BYTES, survey.longest);
      const { batch, answer } = await this.#underway.use(isRead ? survey.added.bytes : most, async () => {
        const next = isRead ? survey.added : nextBatch(file, from, survey.sendable);
        await sendOutputs(this.outputs.ends, id, next.outputs, call);
        return { batch: next, answer: await this.#send(id, from.version, next, call) };
      });
      isRead = false;
      if (answer.type === "gone") return this.#save({ ...state, remote: "purged" }, "again");
      if (answer.type === "missing" && from.version === 0) {
        throw new RemoteError("refused", `On ${remote.name}, thread ${id} belongs to somebody else.`);
      }
      if (answer.type === "missing") return this.#save(freshState(id), "again");
      const { version, digest } = answer;
      if (answer.type === "moved" || version !== batch.end.version || digest !== batch.end.digest) {
        return this.#save({ ...state, remote: { version, digest } }, "again");
      }
      const deleted = version === survey.end.version ? survey.deleted : undefined;
      state = this.#syncedUpTo(state, batch.end, { anchor: batch.anchor(), deleted });
      if (version < survey.sendable.version) journal.putThread(state);
    }
    return this.#settleSent(state, survey, call);
  }

  /** All is there that can be. */
  async #settleSent(
    { tooLong: _, wanted, ...state }: ThreadSyncState,
    { tooLong, seen }: Survey,
    call: RemoteCall,
  ): Promise<Step> {
    if (wanted !== undefined) {
      this.#options.journal.putThread({ ...state, wanted });
      await this.#askToShow(state.id, wanted, call);
    }
    return this.#settle(tooLong === undefined ? state : { ...state, tooLong }, seen);
  }

  /** By records alone, a thread becomes visible to fewer people and never to more. */
  async #askToShow(id: ThreadId, wanted: Visibility, call: RemoteCall): Promise<void> {
    const { remote, notify } = this.#options;
    try {
      await remote.setVisibility(id, wanted, call);
    } catch (error) {
      if (!(error instanceof RemoteError) || error.kind !== "refused") throw error;
      notify(`${id}-visibility`, `${remote.name} does not make thread ${id} visible (${wanted}): ${error.message}`);
    }
  }

  #send(id: ThreadId, from: number, { records }: UploadBatch, call: RemoteCall): Promise<WriteAnswer> {
    const { remote } = this.#options;
    return from === 0 ? remote.create(id, records, call) : remote.append(id, from, records, call);
  }

  // --- both ----------------------------------------------------------------------------------------------------------

  /** The server has another version than the one that was last the same. */
  async #meet(
    state: ThreadSyncState,
    survey: Survey,
    theirs: ThreadVersion,
    call: RemoteCall,
    madeThreads: ThreadId[],
  ): Promise<Step> {
    const { id } = state;
    const common = await this.#commonPoint(id, survey, theirs);
    // We have all that the server has.
    if (common !== undefined) return this.#save(withoutRemote(this.#syncedUpTo(state, common)), "again");
    const base = await this.#sharedBase(id, survey, call);
    const { directory, now, notify } = this.#options;
    const incoming = await this.#download(id, base, theirs, call);
    // Gone in this moment, and whoever looks again is told so.
    if (incoming === undefined) return this.#askAgain(state, call);
    return this.#withFile(id, survey, incoming, () => {
      const lacks = this.outputs.lacksOf(incoming);
      const merged = mergeIncoming(directory, id, survey, incoming, {
        now: now(),
        onSide(side) {
          madeThreads.push(side);
          notify(
            side,
            `Thread ${id} was continued on another machine as well: what was said there is in ${id} now, and what was said here is in the copy ${side}.`,
          );
        },
      });
      if (merged === "busy") return "busy";
      // What ours say of who may see it goes up again, and is asked for then.
      const { wanted: _, ...rest } = lacks(this.#syncedUpTo(state, merged.common));
      return this.#save(withoutRemote(rest), "again");
    });
  }

  /** The place in our file up to which the server goes, if all that it has is the beginning of ours. */
  async #commonPoint(id: ThreadId, survey: Survey, theirs: ThreadVersion): Promise<RecordPoint | undefined> {
    if (theirs.version > survey.end.version) return undefined;
    const from = theirs.version >= survey.known.version ? survey.known : BEGINNING;
    const point = await pointAt(this.#fileOf(id), from, theirs.version);
    return point?.digest === theirs.digest ? point : undefined;
  }

  /** The farthest place that is known, or quickly found out, to be the same on both sides. */
  async #sharedBase(id: ThreadId, { end, known }: Survey, call: RemoteCall): Promise<RecordPoint> {
    for (const point of [end, known]) {
      if (point.version > 0 && (await this.#options.remote.digest(id, point.version, call)) === point.digest) {
        return { version: point.version, digest: point.digest, position: point.position };
      }
    }
    return BEGINNING;
  }

  // --- down ----------------------------------------------------------------------------------------------------------

  /** A thread of the server that is not on this machine. */
  async #bringDown(state: ThreadSyncState, call: RemoteCall): Promise<Step> {
    const { directory, now } = this.#options;
    const { id } = state;
    if (state.remote === "purged") return this.#save({ ...freshState(id), fate: "removed" }, "settled");
    // Nobody here has removed it, but it is not there: only what the server is known to have can be got back.
    const isThere = state.remote !== undefined || (state.synced.version > 0 && state.fate === undefined);
    if (!isThere) return "settled";
    const incoming = await this.#download(id, BEGINNING, state.remote, call);
    if (incoming === undefined) return this.#askAgain(state, call);
    const file = this.#fileOf(id);
    const lease = askForLease(leasesIn(directory), id);
    try {
      if (!isLease(lease)) return "busy";
      if (exists(file) || readTombstone(directory, id) !== undefined || incoming.end.version === 0) return "again";
      const lacks = this.outputs.lacksOf(incoming);
      renameSync(incoming.file, file);
      touch(file, incoming.lastAt, now());
      const end = { ...incoming.end, position: incoming.bytes };
      const known = this.#syncedUpTo(freshState(id), end, { deleted: incoming.deleted ?? false });
      return this.#settle(lacks(known), seenNow(file));
    } finally {
      if (isLease(lease)) lease.release();
      rmSync(incoming.file, { force: true });
    }
  }

  #download(
    id: ThreadId,
    after: RecordPoint,
    expected: ThreadVersion | undefined,
    call: RemoteCall,
  ): Promise<Incoming | undefined> {
    const { directory, now } = this.#options;
    const place = { ...this.outputs.ends, directory, now };
    return this.#underway.use(PAGE_BYTES, () => downloadRecords(place, id, after, expected, call));
  }

  /** Says in the thread what was done to it on the server. Where something was said meanwhile, that comes first. */
  #followTrash({ trash: _, ...state }: ThreadSyncState, survey: Survey, deleted: boolean): Step {
    const { id } = state;
    if (survey.end.version !== survey.known.version) return this.#save(state, "again");
    return this.#withFile(id, survey, undefined, () => {
      const at = new Date(this.#options.now()).toISOString();
      writeBehind(this.#fileOf(id), survey.end.position, (tail) => {
        tail.line(encodeRecord({ type: "metadata", at, deleted }).trimEnd());
      });
      return this.#save(state, "again");
    });
  }

  async #askAgain(state: ThreadSyncState, call: RemoteCall): Promise<Step> {
    const { id } = state;
    const current = await this.#options.remote.version(id, call);
    if (current === "gone") return this.#save({ ...state, remote: "purged" }, "again");
    if (current === "missing") return this.#save(freshState(id), "again");
    return this.#save({ ...state, remote: current }, "again");
  }

  // --- away ----------------------------------------------------------------------------------------------------------

  /** To stay on this machine: first what only the server has comes down, then its copy is removed. */
  async #withdraw(state: ThreadSyncState, survey: Survey, call: RemoteCall, madeThreads: ThreadId[]): Promise<Step> {
    const { id } = state;
    const { remote } = this.#options;
    // What the server never had is not even asked for by its id.
    if (state.synced.version === 0 && state.remote === undefined) {
      const { end } = survey;
      const keptHere = { ...end, anchor: anchorOf(this.#fileOf(id), end.position), private: true };
      return this.#settle({ ...state, keptHere }, survey.seen);
    }
    const current = state.remote === "purged" ? "gone" : await remote.version(id, call);
    if (current === "gone" || current === "missing") return this.#withdrawn(state, survey);
    if ((await this.#commonPoint(id, survey, current)) === undefined) {
      return this.#meet(state, survey, current, call, madeThreads);
    }
    const answer = await remote.purge(id, current.version, call);
    return answer.type === "moved" ? "again" : this.#withdrawn(state, survey);
  }

  #withdrawn({ id }: ThreadSyncState, survey: Survey): Step {
    return this.#settle({ ...freshState(id), fate: "withdrawn" }, survey.seen);
  }

  /** Removed on another machine. What was never on the server stays here, and only here. */
  #removeHere(state: ThreadSyncState, survey: Survey): Step {
    const { directory, now, notify } = this.#options;
    const { id } = state;
    if (survey.known.version === 0 || survey.end.version !== survey.known.version) {
      notify(
        `${id}-detached`,
        `Thread ${id} was removed on another machine, but holds what was said only here: it stays on this machine and is not synced any more.`,
      );
      return this.#settle({ ...freshState(id), fate: "detached" }, survey.seen);
    }
    return this.#withFile(id, survey, undefined, () => {
      eraseThread(directory, { id, version: survey.end.version, private: false }, now());
      return this.#save({ ...freshState(id), fate: "removed" }, "settled");
    });
  }

  /** Removed on this machine. Where the server has what this machine had not, the thread comes back. */
  async #removeThere(state: ThreadSyncState, tombstone: Tombstone, call: RemoteCall): Promise<Step> {
    const { directory, remote, notify } = this.#options;
    const { id, synced } = state;
    const removed: ThreadSyncState = { ...freshState(id), fate: "removed" };
    if (state.fate !== undefined || state.remote === "purged") return this.#save(removed, "settled");
    const isKnownThere = synced.version > 0 || state.remote !== undefined;
    if (tombstone.private && !isKnownThere) return this.#save(removed, "settled");
    const current = await remote.version(id, call);
    if (current === "gone" || current === "missing") return this.#save(removed, "settled");
    // As many records are not the same records: others may have said as much as was removed here.
    const isOurs = [synced, tombstone].some(
      ({ version, digest }) => version > 0 && version === current.version && digest === current.digest,
    );
    if (!isOurs) {
      removeTombstone(directory, id);
      notify(`${id}-back`, `Thread ${id} was removed on this machine, but continued on another one: it is back.`);
      return this.#save({ ...freshState(id), remote: current }, "again");
    }
    const answer = await remote.purge(id, current.version, call);
    return answer.type === "moved" ? "again" : this.#save(removed, "settled");
  }

  // --- common --------------------------------------------------------------------------------------------------------

  /** Does something to a thread's file, unless a session has it or it is not what was surveyed. */
  #withFile(id: ThreadId, survey: Survey, incoming: Incoming | undefined, work: () => Step): Step {
    const lease = askForLease(leasesIn(this.#options.directory), id);
    try {
      if (!isLease(lease)) return "busy";
      const stat = statOf(this.#fileOf(id));
      if (stat === undefined || stat.size !== survey.seen.size || stat.mtimeMs !== survey.seen.mtimeMs) return "again";
      return work();
    } finally {
      if (isLease(lease)) lease.release();
      if (incoming !== undefined) rmSync(incoming.file, { force: true });
    }
  }

  /** `known`: what has come up of that part beside. */
  #syncedUpTo(
    state: ThreadSyncState,
    end: RecordPoint,
    known: { readonly anchor?: string | undefined; readonly deleted?: boolean | undefined } = {},
  ): ThreadSyncState {
    const { version, digest, position } = end;
    const { anchor = anchorOf(this.#fileOf(state.id), position), deleted } = known;
    const { seen: _, ...rest } = state;
    const trash = deleted === undefined ? {} : { deleted };
    // By what is on a server, a thread is not private.
    return { ...rest, synced: { version, digest, position, anchor, private: false, ...trash } };
  }

  #settle(state: ThreadSyncState, seen: FileState): Step {
    const { failure: _, ...rest } = state;
    return this.#save({ ...rest, seen }, "settled");
  }

  #save(state: ThreadSyncState, step: Step): Step {
    this.#options.journal.putThread(state);
    return step;
  }

  #fileOf(id: ThreadId): string {
    return threadFile(this.#options.directory, id);
  }
}

function withoutRemote({ remote: _, ...rest }: ThreadSyncState): ThreadSyncState {
  return rest;
}

function withoutKeptHere({ keptHere: _, ...rest }: ThreadSyncState): ThreadSyncState {
  return rest;
}

function seenNow(file: string): FileState {
  const { size, mtimeMs } = statSync(file);
  return { size, mtimeMs };
}

function remoteOf({ remote }: ThreadSyncState): Pick<ThreadSyncState, "remote"> {
  return remote === undefined ? {} : { remote };
}

function isLease(answer: Lease | object): answer is Lease {
  return "release" in answer;
}

function exists(file: string): boolean {
  return statOf(file) !== undefined;
}

function statOf(file: string): Stats | undefined {
  return statSync(file, { throwIfNoEntry: false });
}
