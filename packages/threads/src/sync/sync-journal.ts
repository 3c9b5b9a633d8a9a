import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { ThreadId } from "@loom/core";
import type { Visibility } from "../record.ts";
import { MAX_LACKING } from "./output-transfer.ts";
import { type FileState, type KnownPart, NOTHING_KNOWN, type TooLong } from "./survey.ts";
import type { ThreadVersion } from "./thread-remote.ts";

export type Failure = {
  /** In a row. */
  readonly count: number;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly at: number;
  readonly nextTryAt: number;
  /** One sentence. */
  readonly message: string;
  /** The file that the server will not take: it is not tried again as long as it stays like this. */
  readonly refused?: FileState;
};

/** Outputs that a thread here refers to, and that neither this machine nor, when it was asked, the server had. */
export type LackingOutputs = {
  /** By SHA-256, at most `MAX_LACKING`. */
  readonly outputs: readonly string[];
  /** The thread's file names others that lack, too. */
  readonly more?: true;
  /** Something has happened to the thread on the server since it was asked: they may be there. */
  readonly isDue: boolean;
  /** To ask has failed. */
  readonly failure?: Failure;
};

/** What is remembered of one thread. */
export type ThreadSyncState = {
  readonly id: ThreadId;
  /** The part that is the same here and on the server. */
  readonly synced: KnownPart;
  /** How far a thread was read that never left this machine and is not to. */
  readonly keptHere?: KnownPart;
  /** The file when all of it was last found to be on the server. */
  readonly seen?: FileState;
  /** What the server was last heard to have, where that is not `synced`. */
  readonly remote?: ThreadVersion | "purged";
  /** On the server it was put into the trash, or taken out of it, and no record says so. */
  readonly trash?: boolean;
  /**
   * `withdrawn`: it is to stay on this machine, and was removed from the server. `detached`: it was removed from the
   * server by another machine, but holds what was never there. `removed`: it is gone here and there.
   */
  readonly fate?: "withdrawn" | "detached" | "removed";
  /** By records that have gone up, the thread is to be visible like this; the server was not asked yet. */
  readonly wanted?: Visibility;
  /** From this record on, the thread stays here: no server takes one so long. */
  readonly tooLong?: TooLong;
  readonly lacking?: LackingOutputs;
  readonly failure?: Failure;
};

/** What is remembered of the server. */
export type ServerSyncState = {
  /** Where to go on with asking what has changed. */
  readonly cursor?: string;
  /** When all threads of the server were last looked through; milliseconds since 1970. */
  readonly lookedThroughAt?: number;
  readonly succeededAt?: number;
  /** A round has begun to work that has not come to the end at which the cursor is behind all that it sent. */
  readonly underway?: true;
  readonly failure?: Failure;
};

export function freshState(id: ThreadId): ThreadSyncState {
  return { id, synced: NOTHING_KNOWN };
}

/** With more outputs that the thread lacks, by `addLacking`. */
export function withLacking(state: ThreadSyncState, outputs: readonly string[], isDue: boolean): ThreadSyncState {
  const { lacking } = state;
  const all = [...new Set([...(lacking?.outputs ?? []), ...outputs])];
  if (all.length === (lacking?.outputs.length ?? 0)) return state;
  return {
    ...state,
    lacking: {
      ...lacking,
      outputs: all.slice(0, MAX_LACKING),
      ...(all.length > MAX_LACKING ? { more: true } : {}),
      isDue: isDue || lacking?.isDue === true,
    },
  };
}

/** The thread may lack others than those that are remembered by name: of as many as can be, older journals do not say so. */
export function hasMore({ outputs, more }: LackingOutputs): boolean {
  return more === true || outputs.length >= MAX_LACKING;
}

const NAME = "journal.jsonl";
const SLACK_LINES = 256;

/**
 * What is remembered between two rounds of sync: a file of JSON lines of which the last about each thing counts. To be
 * written by one process at a time. Not synced to the disk, and no harm where it is lost or damaged: what is alike is
 * found out again by comparing.
 */
export class SyncJournal {
  readonly #file: string;
  readonly #threads = new Map<ThreadId, ThreadSyncState>();
  #server: ServerSyncState = {};
  #lines = 0;
  #descriptor: number | undefined;

  /** Reads what is there; makes nothing. */
  constructor(directory: string) {
    this.#file = join(directory, NAME);
    let text = "";
    try {
      text = readFileSync(this.#file, "utf8");
    } catch {
      // There is none yet.
    }
    for (const line of text.split("\n")) {
      if (line === "") continue;
      this.#lines += 1;
      this.#take(line);
    }
  }

  get server(): ServerSyncState {
    return this.#server;
  }

  get threads(): ReadonlyMap<ThreadId, ThreadSyncState> {
    return this.#threads;
  }

  thread(id: ThreadId): ThreadSyncState {
    return this.#threads.get(id) ?? freshState(id);
  }

  putThread(state: ThreadSyncState): void {
    this.#threads.set(state.id, state);
    this.#append({ thread: state });
  }

  putServer(state: ServerSyncState): void {
    this.#server = state;
    this.#append({ server: state });
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #take(line: string): void {
    try {
      const { thread, server } = JSON.parse(line);
      if (isThreadState(thread)) this.#threads.set(thread.id, thread);
      else if (typeof server === "object" && server !== null) this.#server = server;
    } catch {
      // Torn by a crash.
    }
  }

  #append(entry: { readonly thread: ThreadSyncState } | { readonly server: ServerSyncState }): void {
    this.#descriptor ??= this.#open();
    writeSync(this.#descriptor, `${JSON.stringify(entry)}\n`);
    this.#lines += 1;
  }

  #open(): number {
    makePrivateDirectory(join(this.#file, ".."));
    if (this.#lines > 2 * this.#threads.size + SLACK_LINES) this.#compact();
    const descriptor = openSync(this.#file, "a+", 0o600);
    const { size } = fstatSync(descriptor);
    const last = Buffer.alloc(1);
    if (size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a) writeSync(descriptor, "\n");
    return descriptor;
  }

  #compact(): void {
    const entries = [{ server: this.#server }, ...Array.from(this.#threads.values(), (thread) => ({ thread }))];
    const temporary = `${this.#file}.new`;
    writeFileSync(temporary, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), { mode: 0o600 });
    renameSync(temporary, this.#file);
    this.#lines = entries.length;
  }
}

function isThreadState(value: unknown): value is ThreadSyncState {
  if (typeof value !== "object" || value === null || !("id" in value) || !("synced" in value)) return false;
  const { id, synced } = value;
  return typeof id === "string" && typeof synced === "object" && synced !== null && "position" in synced;
}
