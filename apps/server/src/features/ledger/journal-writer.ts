import type { LedgerEntry } from "../../gateway-types.ts";
import { Timer } from "../../kit/timer.ts";
import type { Trouble } from "../../kit/trouble.ts";

export type EntryEncoding = {
  readonly boundedEntry: (entry: LedgerEntry) => LedgerEntry;
  readonly lineOf: (entry: LedgerEntry) => string;
};

export type JournalWriterOptions = {
  /** Hands lines to the kernel, all or none; `entries` is what they say. */
  readonly append: (lines: Buffer, entries: readonly LedgerEntry[]) => Promise<void>;
  readonly encoding: () => Promise<EntryEncoding>;
  /** Told once of each entry, in batches. */
  readonly onBatch: (entries: readonly LedgerEntry[]) => void;
  readonly onWritten: () => void;
  readonly onUnwritable: (error: unknown) => void;
  readonly trouble: Trouble;
};

/** How long an entry waits for others before they are written together, and how many are enough. */
const COALESCE_MS = 5;
const BATCH_ROWS = 256;
/** Behind so many, more are on their way: a write for each 5 ms would cost as much as its rows. */
const BUSY_ROWS = 32;
const BUSY_COALESCE_MS = 15;
const RETRY_MS = 250;

/** Memory in front of the journal: what happens on the request's path is a push to a list. */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #timer = new Timer(() => void this.flush());
  #waiting: LedgerEntry[] = [];
  /** Being written; tried again until it is. */
  #batch: Batch | undefined;
  #acknowledged = 0;
  #patienceMs = COALESCE_MS;
  #writing: Promise<boolean> | undefined;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
  }

  /** Rows that a `kill -9` would lose. */
  get unwrittenRows(): number {
    return this.#waiting.length + (this.#batch?.rows ?? 0);
  }

  /** Rows that it would not: of those that were pushed, the first so many. */
  get acknowledgedRows(): number {
    return this.#acknowledged;
  }

  push(entry: LedgerEntry): void {
    const rows = this.#waiting.push(entry);
    // While a write runs or is waited for, it takes these along.
    if (this.#writing !== undefined) return;
    if (rows === BATCH_ROWS) this.#timer.stop();
    this.#timer.start(rows >= BATCH_ROWS ? 0 : this.#patienceMs);
  }

  /** Writes all that waits; `false` where the disk did not take it, and it is tried again later. Never rejects. */
  flush(): Promise<boolean> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0) this.#timer.start(this.#patienceMs);
    });
    return this.#writing;
  }

  /** What is not written yet, as it would be in the journal. It stays what it is: nothing of it counts as written. */
  async unwrittenLines(): Promise<Buffer> {
    const encode = await this.#options.encoding();
    const waiting = this.#batchOf(this.#waiting, encode).lines;
    return Buffer.concat([...(this.#batch === undefined ? [] : [this.#batch.lines]), waiting]);
  }

  stop(): void {
    this.#timer.stop();
  }

  async #write(): Promise<boolean> {
    const { append, encoding, onBatch, onWritten, trouble } = this.#options;
    this.#timer.stop();
    this.#patienceMs = this.#waiting.length < BUSY_ROWS ? COALESCE_MS : BUSY_COALESCE_MS;
    if (this.unwrittenRows === 0) return true;
    let isWritten = false;
    try {
      const encode = await encoding();
      while (this.unwrittenRows > 0) {
        if (this.#batch === undefined) {
          this.#batch = this.#batchOf(this.#waiting.splice(0, BATCH_ROWS), encode);
          onBatch(this.#batch.entries);
        }
        await append(this.#batch.lines, this.#batch.entries);
        this.#acknowledged += this.#batch.rows;
        this.#batch = undefined;
      }
      isWritten = true;
      trouble.isOver();
    } catch (error) {
      trouble.is(error);
      this.#timer.start(RETRY_MS);
    }
    onWritten();
    return isWritten;
  }

  /** An entry that is not what its type says costs nobody else their row. */
  #batchOf(waiting: readonly LedgerEntry[], { boundedEntry, lineOf }: EntryEncoding): Batch {
    const entries: LedgerEntry[] = [];
    let lines = "";
    for (const entry of waiting) {
      try {
        const bounded = boundedEntry(entry);
        lines += lineOf(bounded);
        entries.push(bounded);
      } catch (error) {
        this.#options.onUnwritable(error);
      }
    }
    return { lines: Buffer.from(lines), rows: waiting.length, entries };
  }
}

/** `rows`: those that cannot be written count, too. */
type Batch = { readonly lines: Buffer; readonly rows: number; readonly entries: readonly LedgerEntry[] };
