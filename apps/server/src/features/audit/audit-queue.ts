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

/**
 * `done`: called when it is on the disk, or is known to have to wait for it in memory. `onKept`: when it is on the disk, or
 * given up.
 */
type Item = { readonly entry: AuditEntry; done: (() => void) | undefined; readonly onKept: (() => void) | undefined };

const BATCH_ROWS = 256;
const RETRY_MS = 250;
/** So long somebody waits for room; then the queue grows beyond its bound, up to twice of it. */
const PATIENCE_MS = 10_000;

/** Memory in front of the journal. What is recorded together is written and brought to the disk together. */
export class AuditQueue {
  readonly #options: AuditQueueOptions;
  readonly #retryTimer = new Timer(() => void this.flush());
  #waiting: Item[] = [];
  /**
   * On its way to the disk; written again until it is there. Also what the kernel took and could not bring there: it says
   * so once, and may take it for written afterwards. What is in the journal twice has the same id, and is stored once.
   */
  #batch: Item[] = [];
  /** Those that wait for room, oldest first, with their patience. */
  readonly #forRoom = new Map<Item, NodeJS.Timeout>();
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

  /**
   * Resolves when the entry is on the disk, or has its place in memory and the disk does not take it now. `onKept`: called
   * once it is on the disk, or has been given up.
   */
  put(entry: AuditEntry, onKept?: () => void): Promise<void> {
    return new Promise((done) => this.#admit({ entry, done, onKept }));
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
    for (const timer of this.#forRoom.values()) clearTimeout(timer);
    const lost = [...this.#batch, ...this.#waiting, ...this.#forRoom.keys()];
    this.#forRoom.clear();
    for (const item of lost) settle(item);
    return lost.length;
  }

  /** Whoever waits already comes first. */
  #admit(item: Item): void {
    const { overflow } = this.#options;
    if (!this.isFull && this.#forRoom.size === 0) this.#insert(item);
    else if (overflow === "drop_newest" || this.#stopped) this.#giveUp(item);
    else if (overflow === "drop_oldest") this.#insertForOldest(item);
    else this.#wait(item);
  }

  /** Where all there is is being written at this moment, the new one is the oldest. */
  #insertForOldest(item: Item): void {
    const oldest = this.#waiting.shift();
    this.#giveUp(oldest ?? item);
    if (oldest !== undefined) this.#insert(item);
  }

  #wait(item: Item): void {
    const timer = setTimeout(() => this.#insertWithoutRoom(item), PATIENCE_MS);
    this.#forRoom.set(item, timer);
  }

  #insertWithoutRoom(item: Item): void {
    this.#forRoom.delete(item);
    if (this.size < 2 * this.#options.capacity) this.#insert(item);
    else this.#giveUp(item);
  }

  #giveUp(item: Item): void {
    this.#dropped += 1;
    keep(item);
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
        await sync();
        for (const item of this.#batch.splice(0)) keep(item);
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

  /** As many as there is room for, those first who came first. */
  #makeRoom(): void {
    for (const [item, timer] of this.#forRoom) {
      if (this.isFull) return;
      clearTimeout(timer);
      this.#forRoom.delete(item);
      this.#insert(item);
    }
  }
}

function settle(item: Item): void {
  item.done?.();
  item.done = undefined;
}

/** Nobody has to care for it any more. */
function keep(item: Item): void {
  item.onKept?.();
  settle(item);
}
