import { join } from "node:path";
import type { Ledger, LedgerEntry, LedgerFollower } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import { DatabaseUnavailable } from "../../kit/database-error.ts";
import type { Journal } from "../../kit/journal/journal.ts";
import type { Log } from "../../kit/log.ts";
import { Timer } from "../../kit/timer.ts";
import { Trouble } from "../../kit/trouble.ts";
import type { JournalMover } from "./journal-mover.ts";
import { JournalWriter } from "./journal-writer.ts";
import type { LedgerConfig } from "./ledger-config.ts";
import type { LedgerMetrics, LedgerState } from "./ledger-metrics.ts";

export type LedgerBounds = {
  /** Rows in memory, and bytes in the journal, from which on the overflow policy holds. */
  readonly unwrittenRows: number;
  readonly journalBytes: number;
};

export type LedgerOptions = LedgerConfig & {
  /** For the journal. Without it nothing is kept but the metrics. */
  readonly directory: string | undefined;
  readonly database: () => Promise<Database>;
  readonly follower?: LedgerFollower | undefined;
  readonly metrics: LedgerMetrics;
  readonly log: Log;
  /**
   * Where rows go that no disk took when the server ends: lines as in the journal, and a sentence that says what to do with
   * them. Gives whether they got there.
   */
  readonly saveElsewhere?: SaveElsewhere | undefined;
  /** Whether a crash would be noticed by nobody: what is open now cannot be written down. */
  readonly isUntraced?: (() => boolean) | undefined;
  readonly bounds?: Partial<LedgerBounds>;
  /** From a row's arrival in the journal to its being moved to the database, at most, in milliseconds. Default 250. */
  readonly moveMs?: number;
  /** Unix milliseconds. */
  readonly now?: () => number;
};

export type SaveElsewhere = (sentence: string, lines: Buffer) => Promise<boolean>;

const DEFAULT_BOUNDS: LedgerBounds = { unwrittenRows: 10_000, journalBytes: 256 * 1024 * 1024 };
const SYNC_MS = 100;
const DEFAULT_MOVE_MS = 250;
/** Between two attempts to write what is left, when the server ends. */
const LAST_ATTEMPTS_MS = 250;
const TOUCH_MS = 20_000;
const DAY_MS = 86_400_000;

/**
 * A row for every request: for some milliseconds in memory, then in a journal file, then in the database. While the disk is
 * full or the database locked, rows stay where they are, up to the bounds; then the overflow policy holds.
 */
export class DurableLedger implements Ledger {
  readonly #options: LedgerOptions;
  readonly #bounds: LedgerBounds;
  readonly #writer: JournalWriter;
  readonly #now: () => number;
  readonly #syncTimer = new Timer(() => void this.#sync());
  readonly #moveTimer = new Timer(() => void this.#settle({ all: false }).catch(() => undefined));
  readonly #journalTrouble: Trouble;
  readonly #databaseTrouble: Trouble;
  #journal: Journal<LedgerEntry> | undefined;
  #mover: JournalMover | undefined;
  #moving: Promise<void> = Promise.resolve();
  #movesEarly = false;
  #syncing: Promise<void> | undefined;
  #touchedAt: number;
  #dropped = 0;
  #isDamaged = false;
  #closing: Promise<void> | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
    this.#now = options.now ?? Date.now;
    this.#touchedAt = this.#now();
    this.#journalTrouble = new Trouble(options.log, "the ledger's journal cannot be written: rows wait in memory");
    this.#databaseTrouble = new Trouble(options.log, "the ledger's rows cannot be stored: they wait in the journal");
    this.#writer = new JournalWriter({
      append: async (lines, entries) => {
        const journal = await this.#openJournal();
        await journal?.append(lines, entries);
      },
      encoding: () => import("./entry-line.ts"),
      onBatch: (entries) => options.metrics.count(entries),
      onWritten: () => this.#afterWriting(),
      onUnwritable: (error) => {
        this.#dropped += 1;
        options.log.error("a row of the ledger is malformed and lost", { error: String(error) });
      },
      trouble: this.#journalTrouble,
    });
    options.metrics.observe(() => this.state);
  }

  get state(): LedgerState & { readonly acknowledgedRows: number } {
    return {
      unwrittenRows: this.#writer.unwrittenRows,
      journalBytes: this.#journalBytes,
      droppedRows: this.#dropped,
      acknowledgedRows: this.#writer.acknowledgedRows,
      healthy: this.healthy() && !this.isAtRisk,
    };
  }

  record(entry: LedgerEntry): void {
    // Where requests are stopped, those that were let in before may still take up as much again.
    const isFull = this.#exceeds(this.#options.overflow === "stop" ? 2 : 1);
    if (isFull || this.#closing !== undefined) this.#dropped += 1;
    else this.#writer.push(entry);
  }

  healthy(): boolean {
    return this.#options.overflow === "drop" || !this.#exceeds(1);
  }

  /** Rows wait for a database that has to be restored first. */
  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** Rows are in memory only, since the disk takes neither them nor what would tell of them after a crash. */
  get isAtRisk(): boolean {
    const { overflow, isUntraced } = this.#options;
    if (overflow === "drop" || !this.#journalTrouble.lasts || this.#writer.unwrittenRows === 0) return false;
    return isUntraced?.() ?? true;
  }

  /**
   * Brings what was recorded until now into the database, at the first time also what other processes left, and has the
   * follower pass it on.
   * @throws what the database or the disk has against it; the rows stay in the journal then, and this is tried again.
   */
  settle(): Promise<void> {
    return this.#settle({ all: true });
  }

  async #settle(what: { readonly all: boolean }): Promise<void> {
    const isWritten = await this.#writer.flush();
    await this.#move((mover) => mover.move(what));
    const isHeld = this.#mover?.isHeld === true;
    if (isHeld) await this.#stillHere();
    if (isHeld || this.#journal?.hasSpentFile === true) this.#afterWriting();
    if (!isWritten) throw new Error("the ledger's journal cannot be written");
  }

  /** Brings in the journals of processes that have died since. Opens no database where there are none. */
  async recover(): Promise<void> {
    if (await this.#hasJournals()) await this.#move((mover) => mover.recover({ alsoLive: false }));
  }

  /** Brings in what is in any journal, also of those that may live. */
  async gather(): Promise<void> {
    if (await this.#hasJournals()) await this.#move((mover) => mover.recover({ alsoLive: true }));
  }

  /** Deletes what is older than the retention time. */
  async purge(signal: AbortSignal): Promise<void> {
    const before = this.#now() - this.#options.retentionDays * DAY_MS;
    await this.#move((mover) => mover.purge(before, signal));
  }

  /**
   * Takes nothing more, and writes what waits. What no database was opened for stays in the journal. Where the journal cannot
   * be written, this is tried for `patienceMs` (default 0), and then the rows go elsewhere.
   */
  close({ patienceMs = 0 }: { readonly patienceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(patienceMs);
    return this.#closing;
  }

  async #close(patienceMs: number): Promise<void> {
    for (let left = patienceMs; !(await this.#writer.flush()) && left > 0; left -= LAST_ATTEMPTS_MS) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(left, LAST_ATTEMPTS_MS)));
    }
    if (this.#mover !== undefined) await this.settle().catch(() => undefined);
    this.#writer.stop();
    this.#syncTimer.stop();
    this.#moveTimer.stop();
    await this.#syncing;
    if (this.#writer.unwrittenRows > 0) await this.#saveElsewhere(this.#writer.unwrittenRows);
    await this.#journal?.close({ isHeld: this.#mover?.isHeld === true });
  }

  async #saveElsewhere(rows: number): Promise<void> {
    const { directory, saveElsewhere, log } = this.#options;
    const isSaved =
      directory !== undefined &&
      (await saveElsewhere?.(
        `The disk did not take ${rows} rows of the ledger. Each of the following lines that begin with { is one: put them in a file ${join(directory, "saved.closed.journal")}, and the next start brings them in.`,
        await this.#writer.unwrittenLines(),
      )) === true;
    if (isSaved) log.error("rows of the ledger could not be stored: they are on the standard error", { rows });
    else log.error("rows of the ledger are lost", { rows });
  }

  #exceeds(times: number): boolean {
    const { unwrittenRows, journalBytes } = this.#bounds;
    return this.#writer.unwrittenRows >= times * unwrittenRows || this.#journalBytes >= times * journalBytes;
  }

  /** Files that are held for the follower take their place on the disk, too, whatever of them is stored. */
  get #journalBytes(): number {
    const isHeld = this.#mover?.isHeld === true;
    return (isHeld ? this.#journal?.fileBytes : this.#journal?.waitingBytes) ?? 0;
  }

  #afterWriting(): void {
    if (this.#closing !== undefined || this.#journal === undefined) return;
    this.#syncTimer.start(SYNC_MS);
    this.#moveTimer.start(this.#options.moveMs ?? DEFAULT_MOVE_MS);
    this.#moveEarly();
  }

  /**
   * What fills a transaction need not wait for the timer: as long as rows wait, the garbage collector copies them about. One
   * at a time, since under load there may be more for ever, and others wait for their turn.
   */
  #moveEarly(): void {
    if (this.#mover === undefined || this.#movesEarly || this.#databaseTrouble.lasts) return;
    if (this.#journal?.hasWholeChunk !== true || this.#options.follower?.isFull === true) return;
    this.#movesEarly = true;
    const over = (): void => {
      this.#movesEarly = false;
    };
    this.#move((mover) => mover.moveFull()).then(() => {
      over();
      if (this.#closing === undefined) setImmediate(() => this.#moveEarly());
    }, over);
  }

  async #openJournal(): Promise<Journal<LedgerEntry> | undefined> {
    const { directory } = this.#options;
    if (this.#journal === undefined && directory !== undefined) {
      const [{ Journal }, { entryOf }] = await Promise.all([
        import("../../kit/journal/journal.ts"),
        import("./entry-line.ts"),
      ]);
      this.#journal ??= new Journal(directory, entryOf);
    }
    return this.#journal;
  }

  async #hasJournals(): Promise<boolean> {
    const { directory } = this.#options;
    if (directory === undefined) return false;
    const { readdir } = await import("node:fs/promises");
    return (await readdir(directory).catch(() => [])).length > 0;
  }

  async #sync(): Promise<void> {
    this.#syncing = this.#journal?.sync().catch((error: unknown) => this.#journalTrouble.is(error));
    await this.#syncing;
  }

  /** One at a time. */
  #move(work: (mover: JournalMover) => Promise<void>): Promise<void> {
    const done = this.#moving.then(async () => {
      try {
        const mover = await this.#openMover();
        if (mover !== undefined) await work(mover);
        this.#databaseTrouble.isOver();
        this.#isDamaged = false;
      } catch (error) {
        this.#databaseTrouble.is(error);
        this.#isDamaged = error instanceof DatabaseUnavailable && error.isDamage;
        await this.#stillHere();
        if (this.#closing === undefined) this.#moveTimer.start(this.#options.moveMs ?? DEFAULT_MOVE_MS);
        throw error;
      }
    });
    this.#moving = done.catch(() => undefined);
    return done;
  }

  async #openMover(): Promise<JournalMover | undefined> {
    const { directory, database, follower, log } = this.#options;
    const journal = await this.#openJournal();
    if (this.#mover === undefined && directory !== undefined && journal !== undefined) {
      const [{ JournalMover }, opened] = await Promise.all([import("./journal-mover.ts"), database()]);
      this.#mover ??= new JournalMover({
        journal,
        directory,
        database: opened,
        follower,
        warn: (message) => log.warn(message),
        now: this.#now,
      });
    }
    return this.#mover;
  }

  /** While rows cannot be stored or wait for the follower, others must not take the journal for one of the dead. */
  async #stillHere(): Promise<void> {
    const now = this.#now();
    if (Math.abs(now - this.#touchedAt) < TOUCH_MS) return;
    this.#touchedAt = now;
    await this.#journal?.touch().catch((error: unknown) => this.#journalTrouble.is(error));
  }
}
