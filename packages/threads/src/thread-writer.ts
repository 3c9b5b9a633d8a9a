import {
  close,
  closeSync,
  fdatasync,
  fsync,
  ftruncateSync,
  open,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { ThreadId } from "@loom/core";
import { notSaved, type ThreadError } from "./errors.ts";
import type { Lease } from "./lease.ts";
import type { OutputStore } from "./output-store.ts";
import { type EventRecord, encodeRecord, type ThreadRecord } from "./record.ts";
import { RecordMerger } from "./record-merger.ts";
import { storeLongOutputs } from "./stored-outputs.ts";

const BATCH_UNITS = 256 * 1024;

/** Where the records go. A new thread has no file until the first event that matters. */
export type WriterTarget = {
  readonly id: ThreadId;
  readonly file: string;
  /** Length of the whole records that are there; `undefined` for a file that is to be made. */
  readonly goodBytes: number | undefined;
  readonly takeLease: () => Lease;
  readonly now: () => number;
  /** Where long outputs of tools go; without it they stay in the thread's own file. */
  readonly outputs?: OutputStore;
  /** Called between turns when the file has grown by so many bytes. */
  readonly onGrowth?: { readonly everyBytes: number; readonly call: () => void };
};

/**
 * Appends to one thread. A record that matters is handed to the system before `append` returns, so that it outlives
 * the process; it reaches the disk (fdatasync) in the background, in order, and at the latest when `flush` resolves.
 * Where writing fails, the records wait in memory and go out with the next one; the file stays loadable throughout.
 */
export class ThreadWriter {
  readonly id: ThreadId;
  readonly file: string;
  readonly #takeLease: () => Lease;
  readonly #now: () => number;
  readonly #outputs: OutputStore | undefined;
  readonly #onGrowth: WriterTarget["onGrowth"];
  #grownFrom: number;
  readonly #merger = new RecordMerger();
  #pending: string[] = [];
  #goodBytes: number;
  #isNew: boolean;
  #descriptor: number | undefined;
  #lease: Lease | undefined;
  #closed = false;
  #writeProblem: ThreadError | undefined;
  #syncProblem: ThreadError | undefined;
  #syncing: Promise<void> | undefined;
  #unsynced = false;
  #directoryUnsynced = false;
  /** Files that the newest records refer to. */
  #unsyncedFiles: string[] = [];

  constructor(target: WriterTarget) {
    this.id = target.id;
    this.file = target.file;
    this.#takeLease = target.takeLease;
    this.#now = target.now;
    this.#outputs = target.outputs;
    this.#isNew = target.goodBytes === undefined;
    this.#goodBytes = target.goodBytes ?? 0;
    this.#onGrowth = target.onGrowth;
    this.#grownFrom = this.#goodBytes;
    if (!this.#isNew) this.#lease = target.takeLease();
  }

  /** Why the newest records are not on disk; `undefined` while all is well. */
  get problem(): ThreadError | undefined {
    return this.#writeProblem ?? this.#syncProblem;
  }

  /** Never throws. Gives the problem where records wait that cannot be written now. */
  append(record: ThreadRecord): ThreadError | undefined {
    if (this.#closed) return this.problem;
    if (record.type === "event") {
      const { taken, due } = this.#merger.take(record, this.#now());
      this.#enqueue(due);
      if (taken) return due.length > 0 && !this.#isNew ? this.#write() : this.problem;
    } else this.#enqueue(this.#merger.drain());
    this.#pending.push(encodeRecord(this.#withStoredOutputs(record)));
    const problem = matters(record) ? this.#write({ andSync: true }) : this.problem;
    // The totals come at the end of a turn.
    if (record.type === "usage") this.#noteGrowth();
    return problem;
  }

  /** Resolves when all that was appended is on disk, or gives the reason why it is not. */
  async flush(): Promise<ThreadError | undefined> {
    if (this.#closed) return this.problem;
    this.#enqueue(this.#merger.drain());
    // Nothing that matters has come yet: a thread nobody spoke in leaves no file.
    if (this.#isNew && this.#descriptor === undefined && this.#writeProblem === undefined) return undefined;
    this.#write({ andSync: true });
    await this.#syncing;
    return this.problem;
  }

  /** Flushes, then gives the thread free. Later appends are ignored. */
  async close(): Promise<ThreadError | undefined> {
    const problem = await this.flush();
    if (this.#closed) return problem;
    this.#closed = true;
    if (this.#descriptor !== undefined) {
      closeSync(this.#descriptor);
      if (this.#isNew) removeQuietly(temporary(this.file));
    }
    this.#lease?.release();
    return problem;
  }

  #enqueue(records: readonly EventRecord[]): void {
    for (const record of records) this.#pending.push(encodeRecord(record));
  }

  #noteGrowth(): void {
    if (this.#onGrowth === undefined || this.#goodBytes - this.#grownFrom < this.#onGrowth.everyBytes) return;
    this.#grownFrom = this.#goodBytes;
    // Whoever waits for the turn comes first.
    setImmediate(this.#onGrowth.call);
  }

  #withStoredOutputs(record: ThreadRecord): ThreadRecord {
    if (this.#outputs === undefined) return record;
    const stored = storeLongOutputs(record, this.#outputs);
    this.#unsyncedFiles.push(...stored.files);
    return stored.record;
  }

  #write({ andSync = false } = {}): ThreadError | undefined {
    try {
      while (this.#pending.length > 0) this.#writeBatch(this.#open());
      this.#writeProblem = undefined;
      if (andSync) this.#sync();
    } catch (error) {
      this.#writeProblem = notSaved(this.file, error);
    }
    return this.problem;
  }

  /** Some of the oldest records: on a disk that stays full, many may wait, and each attempt must stay cheap. */
  #writeBatch(descriptor: number): void {
    let count = 0;
    for (let units = 0; count < this.#pending.length && units < BATCH_UNITS; count++) {
      units += this.#pending[count]?.length ?? 0;
    }
    const bytes = Buffer.from(this.#pending.slice(0, count).join(""));
    this.#writeWhole(descriptor, bytes);
    this.#goodBytes += bytes.length;
    this.#pending.splice(0, count);
    if (!this.#isNew) return;
    renameSync(temporary(this.file), this.file);
    this.#isNew = false;
    this.#directoryUnsynced = true;
  }

  /** All bytes or none: what a full disk leaves half-written is cut off again. */
  #writeWhole(descriptor: number, bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(descriptor, bytes, done, bytes.length - done, this.#goodBytes + done);
      }
    } catch (error) {
      ftruncateSync(descriptor, this.#goodBytes);
      throw error;
    }
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    this.#lease ??= this.#takeLease();
    const descriptor = this.#isNew ? openSync(temporary(this.file), "wx", 0o600) : openSync(this.file, "r+");
    this.#descriptor = descriptor;
    // A record that a crash tore in two must not stand in front of the next one.
    if (!this.#isNew) ftruncateSync(descriptor, this.#goodBytes);
    return descriptor;
  }

  /** One fdatasync at a time; what was written while it ran is covered by the next. */
  #sync(): void {
    this.#unsynced = true;
    this.#syncing ??= this.#syncUntilDone().finally(() => {
      this.#syncing = undefined;
    });
  }

  async #syncUntilDone(): Promise<void> {
    while (this.#unsynced && this.#descriptor !== undefined) {
      this.#unsynced = false;
      for (const file of this.#unsyncedFiles.splice(0)) await syncFile(file);
      const error = await syncData(this.#descriptor);
      this.#syncProblem = error === null ? undefined : notSaved(this.file, error);
      if (!this.#directoryUnsynced) continue;
      this.#directoryUnsynced = false;
      await syncDirectory(dirname(this.file));
    }
  }
}

/** Whether the record must not be lost if the process dies in the next moment. */
function matters(record: ThreadRecord): boolean {
  return record.type !== "thread" && record.type !== "run";
}

function temporary(file: string): string {
  return `${file}.new`;
}

function syncData(descriptor: number): Promise<Error | null> {
  return new Promise((resolve) => fdatasync(descriptor, resolve));
}

/** Makes a file of its own and its name durable. Where that fails, a reader says that the output is lost. */
function syncFile(path: string): Promise<void> {
  return new Promise((resolve) => {
    open(path, "r", (openError, descriptor) => {
      if (openError !== null) return resolve();
      fdatasync(descriptor, () => close(descriptor, () => resolve(syncDirectory(dirname(path)))));
    });
  });
}

/** Makes the name of a new file durable. Not every system can (Windows); then the file system's own order decides. */
function syncDirectory(path: string): Promise<void> {
  return new Promise((resolve) => {
    open(path, "r", (openError, descriptor) => {
      if (openError !== null) return resolve();
      fsync(descriptor, () => close(descriptor, () => resolve()));
    });
  });
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was renamed or never made.
  }
}
