import type { QueryPlan } from "@loom/threads/records";
import type { RawBuilder } from "kysely";

/** What is known of the index as a whole; of each copy of it there is one. */
export type IndexState = {
  /** Grows with everything that is written to the index: who wants to write says which one it knows. */
  readonly revision: number;
  /** Passages, and terms in them together. */
  readonly passages: number;
  readonly terms: number;
  readonly nextKey: number;
  /** The change of threads up to which they have been looked through. */
  readonly change: number;
};

/** How far a thread is in the index. */
export type IndexedThread = {
  readonly key: number;
  readonly id: string;
  readonly generation: number;
  readonly version: number;
  readonly digest: string;
  /** Messages in all of these records. */
  readonly messages: number;
  readonly turns: number;
  /** The passage that holds its title and the like, and what that says. */
  readonly titleKey: number | null;
  readonly title: string;
  /** Numbers of records whose long outputs were not here yet, as JSON. */
  readonly waiting: string;
};

export type IndexedPassage = {
  readonly key: number;
  readonly thread: number;
  readonly record: number;
  readonly turn: number;
  readonly role: string;
  readonly at: string;
  readonly atMs: number;
  readonly length: number;
  /**
   * Where in the bytes of its piece each of its texts begins, one behind the other, and where the last one ends: the terms
   * and the names with spaces between them, and which terms are repeated.
   */
  readonly body: number;
  readonly names: number;
  readonly repeats: number;
  readonly end: number;
};

/** Passages, and their texts in UTF-8: as bytes they are handed from thread to thread and to SQLite without being made anew. */
export type PassagePiece = { readonly passages: readonly IndexedPassage[]; readonly bytes: Uint8Array<ArrayBuffer> };

/** Written all or not at all. */
export type IndexBatch = {
  /** Of the state that this was made from. */
  readonly revision: number;
  readonly state: Omit<IndexState, "revision">;
  /** Threads of which nothing stays in the index. */
  readonly dropped: readonly number[];
  readonly droppedPassages: readonly number[];
  /** Who writes it may take the bytes away. */
  readonly pieces: readonly PassagePiece[];
  readonly threads: readonly IndexedThread[];
  /** In how many passages a term is more than was known; estimated. */
  readonly frequencies: readonly (readonly [string, number])[];
};

export type SqlText = { readonly sql: string; readonly parameters: readonly unknown[] };

/** A full-text index beside the threads. Derived: it can be thrown away at any time. */
export type SearchEngine = {
  readonly state: () => Promise<IndexState>;
  readonly indexed: (threads: readonly number[]) => Promise<ReadonlyMap<number, IndexedThread>>;
  readonly frequencies: (terms: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  /** False where another has written since the batch's revision; then nothing has changed. */
  readonly write: (batch: IndexBatch) => Promise<boolean>;
  /** Does in steps what was put off when batches were written, until nothing is left to do or `until` says so. */
  readonly tidy: (until: () => boolean) => Promise<void>;
  /** Rows of a query over the index and the table `thread`. */
  readonly rows: <Row>(query: SqlText) => Promise<readonly Row[]>;
  /** How the engine says what differs. */
  readonly dialect: SearchDialect;
  /** Resolves where it cannot be used any more, and has to be opened anew. */
  readonly ended?: Promise<void>;
  readonly close: () => Promise<void>;
};

/** `p`: the passage, `s`: its thread in the index, `thread`: the thread itself. */
export type SearchDialect = {
  /** The tables, joined, and what has to be so for them to speak of the same. */
  readonly candidates: RawBuilder<unknown>;
  readonly matches: (plan: QueryPlan) => RawBuilder<unknown>;
  /** The tables of the passages and of the threads in the index. */
  readonly passages: RawBuilder<unknown>;
  readonly threads: RawBuilder<unknown>;
  readonly newestFirst: RawBuilder<unknown>;
  /** How often a term is in the passage `p`, at least once. */
  readonly countOf: (term: string) => RawBuilder<unknown>;
  /** The greatest of several numbers. */
  readonly greatest: string;
};
