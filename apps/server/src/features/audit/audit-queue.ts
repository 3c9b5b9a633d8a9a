import { Timer } from "../../kit/timer.ts";
import type { Trouble } from "../../kit/trouble.ts";
import type { AuditEntry } from "./audit-entry.ts";
import { type Recorded, recordedOf } from "./recorded.ts";

/** What happens to events while the queue is full: whoever records waits, or one of them is given up. */
export type OverflowPolicy = "block" | "drop_newest" | "drop_oldest";

export type AuditQueueOptions = {
  /** Entries that are in memory and not on the disk, at most. */
  readonly capacity: number;
  readonly overflow: OverflowPolicy;
  /** Hands lines to the kernel, all or none. */
  readonly append: (lines: Buffer, events: readonly Recorded[]) => Promise<void>;
  /** When it resolves, what was appended before survives a power cut. */
  readonly sync: () => Promise<void>;
  /** Told of each entry that has got a place, once. */
  readonly onTaken: (entry: AuditEntry) => void;
  readonly onWritten: () => void;
  readonly trouble: Trouble;
};

/** `done`: called when it is on the disk, or is known to have to wait for it in memory. */
type Item = { readonly entry: AuditEntry; done: (() => void) | undefined };

const BATCH_ROWS = 256;
const RETRY_MS = 250;
/** So long somebody waits for room; then the queue grows beyond its bound, up to twice of it. */
const PATIENCE_MS = 10_000;

/** Memory in front of the journal. What is recorded together is written and brought to the disk together. */
export class AuditQueue {
  readonly #options: AuditQueueOptions;
  readonly #retryTimer = new Timer(() => void this.flush());
  #waiting: Item[] = [];
  /** Being written; tried again until it is. */
  #batch: Item[] = [];
  #forRoom = new Set<() => void>();
  #writing: Promise<boolean> | undefined;
  #isSoon = false;
  #dropped = 0;
  #stopped = false;

  constructor(options: AuditQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length + this.#batch.length;
  }

  /** Events given up since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  get isFull(): boolean {
    return this.size >= this.#options.capacity;
  }

  /** Resolves when the entry is on the disk, or has its place in memory and the disk does not take it now. */
  put(entry: AuditEntry): Promise<void> {
    return this.#admitted(() => new Promise((done) => this.#insert({ entry, done })));
  }

  /** Writes all that waits; `false` where the disk did not take it, and it is tried again later. Never rejects. */
  flush(): Promise<boolean> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0 && this.#batch.length === 0) this.#soon();
    });
    return this.#writing;
  }

  /** What could not be written until now is lost; gives how many. */
  stop(): number {
    this.#stopped = true;
    this.#retryTimer.stop();
    for (const go of this.#forRoom) go();
    const lost = this.size;
    for (const item of [...this.#batch, ...this.#waiting]) settle(item);
    return lost;
  }

  async #admitted(insert: () => Promise<void>): Promise<void> {
    if (!this.isFull) return insert();
    switch (this.#options.overflow) {
      case "drop_newest":
        this.#dropped += 1;
        return;
      case "drop_oldest": {
        const oldest = this.#waiting.shift();
        // All there is is being written at this moment.
        if (oldest !== undefined) settle(oldest);
        this.#dropped += 1;
        return oldest === undefined ? undefined : insert();
      }
      case "block": {
        const { capacity } = this.#options;
        await this.#room();
        if (this.size < 2 * capacity) return insert();
        this.#dropped += 1;
      }
    }
  }

  /** At once as soon as there is some; later without any. */
  async #room(): Promise<void> {
    while (this.isFull && !this.#stopped) {
      const isInTime = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => go(false), PATIENCE_MS);
        const go = (isInTime: boolean): void => {
          clearTimeout(timer);
          this.#forRoom.delete(wake);
          resolve(isInTime);
        };
        const wake = (): void => go(true);
        this.#forRoom.add(wake);
      });
      if (!isInTime) return;
    }
  }

  #insert(item: Item): void {
    this.#waiting.push(item);
    this.#options.onTaken(item.entry);
    // While a write runs, it takes this one along.
    if (this.#writing === undefined) this.#soon();
  }

  /** With what else is recorded in this turn. Unlike a timer of ours, it keeps the process alive for those who wait. */
  #soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      void this.flush();
    });
  }

  async #write(): Promise<boolean> {
    const { append, sync, trouble, onWritten } = this.#options;
    this.#retryTimer.stop();
    let isWritten = false;
    try {
      while (this.size > 0) {
        if (this.#batch.length === 0) this.#batch = this.#waiting.splice(0, BATCH_ROWS);
        const events = this.#batch.map(({ entry }) => recordedOf(entry));
        await append(Buffer.from(events.map(({ json }) => `${json}\n`).join("")), events);
        const written = this.#batch;
        this.#batch = [];
        await sync();
        for (const item of written) settle(item);
        this.#makeRoom();
      }
      isWritten = true;
      trouble.isOver();
    } catch (error) {
      trouble.is(error);
      // They have their place, and nobody can say when the disk takes them.
      for (const item of [...this.#batch, ...this.#waiting]) settle(item);
      if (!this.#stopped) this.#retryTimer.start(RETRY_MS);
    }
    onWritten();
    return isWritten;
  }

  #makeRoom(): void {
    if (this.isFull) return;
    for (const wake of [...this.#forRoom]) wake();
  }
}

function settle(item: Item): void {
  item.done?.();
  item.done = undefined;
}
