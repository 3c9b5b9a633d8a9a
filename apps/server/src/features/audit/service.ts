import type { AuditEvent, AuditKeeper } from "../../kit/audit.ts";
import { AUDIT_EVENTS, AUDIT_SEVERITIES } from "../../kit/audit-events.ts";
import type { Database } from "../../kit/database.ts";
import { Journal } from "../../kit/journal/journal.ts";
import { recoverLeftovers } from "../../kit/journal/leftover-segments.ts";
import type { Log } from "../../kit/log.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { nextTurn } from "../../kit/next-turn.ts";
import { Timer } from "../../kit/timer.ts";
import { Trouble } from "../../kit/trouble.ts";
import type { AuditConfig } from "./audit-config.ts";
import { type AuditEntry, entryOf } from "./audit-entry.ts";
import { AuditQueue } from "./audit-queue.ts";
import { keepChainEnd } from "./chain-end-file.ts";
import type { ChainSeal } from "./chain-seal.ts";
import { type ChainEnd, type ChainStore, createChainStore } from "./chain-store.ts";
import { FloodGate } from "./flood-gate.ts";
import { type Recorded, recordedOfLine } from "./recorded.ts";

/** Somewhere else that events go to. Never waits, never throws; what it cannot take it counts. */
export type AuditSink = {
  offer(entry: AuditEntry): void;
  close(): Promise<void>;
};

export type AuditServiceOptions = {
  readonly config: AuditConfig;
  /** For the journal. */
  readonly directory: string;
  readonly database: () => Promise<Database>;
  readonly sealFor: (database: Database) => ChainSeal | undefined;
  /** Remembers where the chain ends, outside of the database. */
  readonly endFile: string;
  readonly sinks: readonly AuditSink[];
  readonly redact: (text: string) => string;
  /** Where an address is; nothing where nobody knows. Never rejects. */
  readonly placeOf: (address: string) => Promise<string | undefined>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Unix milliseconds. */
  readonly now: () => number;
};

const MOVE_MS = 250;
const TOUCH_MS = 20_000;
const DAY_MS = 86_400_000;
/** Rows of one transaction, and how many are waited for at most. In between, everything else of this process goes on. */
const TRANSACTION_ROWS = 1_024;
const EXPIRE_ROWS = 500;
/** Bytes in the journal from which on nothing more is taken: the database has been away for long. */
const MAX_JOURNAL_BYTES = 256 * 1024 * 1024;

/**
 * Events on their way: redacted, for a moment in memory, in a journal on the disk, then in the database's chain. Whoever
 * awaits `record` knows that neither a `kill -9` nor a power cut takes the event away any more.
 */
export class AuditService implements AuditKeeper {
  readonly #options: AuditServiceOptions;
  readonly #queue: AuditQueue;
  readonly #gate: FloodGate;
  readonly #journal: Journal<Recorded>;
  readonly #moveTimer = new Timer(() => void this.settle().catch(() => undefined));
  readonly #databaseTrouble: Trouble;
  /** Events whose place is being looked up. */
  readonly #looking = new Set<Promise<string | undefined>>();
  readonly #grave: ReadonlySet<AuditEntry["severity"]>;
  #store: ChainStore | undefined;
  #database: Database | undefined;
  #moving: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #sawOthers = false;
  /**
   * An attempt to store the next events has failed, nobody knows how far it came; and what is told again because another
   * process died comes first.
   */
  #mayBeStored = true;
  /** The last one that was not kept yet. */
  #end: ChainEnd | undefined;
  #touchedAt: number;
  #closing: Promise<void> | undefined;

  constructor(options: AuditServiceOptions) {
    this.#options = options;
    const { config, log, metrics, now } = options;
    this.#touchedAt = now();
    this.#grave = new Set(AUDIT_SEVERITIES.slice(AUDIT_SEVERITIES.indexOf(config.minSeverity)));
    this.#journal = new Journal(options.directory, recordedOfLine, { chunkRows: TRANSACTION_ROWS });
    this.#databaseTrouble = new Trouble(log, "audit events cannot be stored: they wait in the journal");
    this.#gate = new FloodGate((event) => this.#take(event), now);
    this.#queue = new AuditQueue({
      capacity: config.queueCapacity,
      overflow: config.overflow,
      append: (lines, events) => this.#append(lines, events),
      sync: () => this.#sync(),
      onTaken: (entry) => {
        for (const sink of options.sinks) sink.offer(entry);
      },
      onWritten: () => this.#moveTimer.start(MOVE_MS),
      trouble: new Trouble(log, "the audit journal cannot be written: events wait in memory"),
    });
    observe(metrics, this);
  }

  get state() {
    return {
      queued: this.#queue.size,
      journalBytes: this.#journal.waitingBytes,
      dropped: this.#queue.dropped,
    };
  }

  record(event: AuditEvent): Promise<void> | undefined {
    return this.#gate.record(event);
  }

  /** Whether events of this severity are recorded. */
  takes(severity: AuditEntry["severity"]): boolean {
    return this.#grave.has(severity);
  }

  /**
   * For what is clean and complete already. Resolves as `record` does, also where the disk does not take it; `onKept` is
   * called once it has, or the overflow policy has given it up.
   */
  async keep(entry: AuditEntry, onKept: () => void): Promise<void> {
    if (!this.takes(entry.severity)) onKept();
    else if (this.#closing === undefined) await this.#queue.put(entry, onKept);
  }

  /** False while nothing more can be kept and nothing may be lost: no request is let in then. */
  accepts(): boolean {
    return this.#options.config.overflow !== "block" || !this.#isFull();
  }

  /** @throws Error while events cannot be kept. */
  check(): void {
    if (this.#isFull()) throw new Error("events cannot be written: check the disk and the database");
  }

  /**
   * Brings what was recorded until now into the database, and at the first time also what other processes left.
   * @throws what the database or the disk has against it; the events stay in the journal then, and this is tried again.
   */
  async settle(): Promise<void> {
    await Promise.all(this.#looking);
    const isWritten = await this.#queue.flush();
    await this.#move((store, database) => this.#moveAll(store, database));
    if (!isWritten) throw new Error("the audit journal cannot be written");
  }

  /** Brings in the journals of processes that have died since. */
  async recover(): Promise<void> {
    await this.#move((store, database) => this.#recover(store, database, { alsoLive: false }));
  }

  /** Remembers where the chain ends, once that is on the database's disk. */
  async keepEnd(): Promise<void> {
    const end = this.#end;
    if (end === undefined || this.#database === undefined) return;
    this.#end = undefined;
    await this.#database.sync();
    await keepChainEnd(this.#options.endFile, end);
    // Whoever keeps these elsewhere can tell later whether the end was cut off.
    const event = { event: "audit.chain_end", outcome: "success", actor: SYSTEM, details: { ...end } } as const;
    const entry = entryOf(event, { redact: String, at: this.#options.now() });
    for (const sink of this.#options.sinks) sink.offer(entry);
  }

  /** Writes down what was only counted for a minute. */
  sweep(): void {
    this.#gate.sweep({ all: false });
  }

  /** Removes what is past its time, and records that. */
  async expire(signal: AbortSignal): Promise<void> {
    const { config, now } = this.#options;
    const before = now() - config.retentionDays * DAY_MS;
    let [rows, firstSeq, lastSeq] = [0, 0, 0];
    await this.#move(async (store) => {
      while (!signal.aborted) {
        const expired = await store.expire(before, { max: EXPIRE_ROWS, nowMs: now() });
        if (rows === 0) firstSeq = expired.firstSeq;
        if (expired.rows > 0) lastSeq = expired.lastSeq;
        rows += expired.rows;
        if (expired.rows < EXPIRE_ROWS) return;
        await nextTurn();
      }
    });
    if (rows === 0) return;
    const details = { rows, firstSeq, lastSeq, before: new Date(before).toISOString() };
    await this.record({ event: "audit.expired", outcome: "success", actor: SYSTEM, details });
  }

  /** Takes nothing more, and writes what waits. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#gate.sweep({ all: true });
    await this.settle().catch(() => undefined);
    await this.keepEnd().catch((error: unknown) => this.#options.log.warn(String(error)));
    const lost = this.#queue.stop();
    this.#moveTimer.stop();
    await this.#journal.close().catch((error: unknown) => this.#options.log.error(String(error)));
    await Promise.all(this.#options.sinks.map((sink) => sink.close()));
    if (lost > 0) this.#options.log.error("audit events are lost", { events: lost });
  }

  #take(event: AuditEvent): Promise<void> | undefined {
    if (!this.takes(event.severity ?? AUDIT_EVENTS[event.event][0])) return undefined;
    const entering = { redact: this.#options.redact, at: this.#options.now() };
    if (event.origin === undefined) return this.#queue.put(entryOf(event, entering));
    const placed = this.#options.placeOf(event.origin.address);
    this.#looking.add(placed);
    return placed.then((place) => {
      this.#looking.delete(placed);
      return this.#queue.put(entryOf(event, { ...entering, place }));
    });
  }

  #isFull(): boolean {
    return this.#queue.isFull || this.#journal.waitingBytes >= MAX_JOURNAL_BYTES;
  }

  /** Where no request is let in any more, those that were let in before may still take up as much again. */
  async #append(lines: Buffer, events: readonly Recorded[]): Promise<void> {
    const times = this.#options.config.overflow === "block" ? 2 : 1;
    if (this.#journal.waitingBytes >= times * MAX_JOURNAL_BYTES)
      throw new Error("it waits for the database and is full");
    await this.#journal.append(lines, events);
  }

  /** One after the other: a second one must not resolve while the first is still at the same bytes. */
  #sync(): Promise<void> {
    const done = this.#syncing.then(() => this.#journal.sync());
    this.#syncing = done.catch(() => undefined);
    return done;
  }

  async #moveAll(store: ChainStore, database: Database): Promise<void> {
    if (!this.#sawOthers) await this.#recover(store, database, { alsoLive: true });
    this.#sawOthers = true;
    // Those that wait now: under load there may be more for ever.
    for (let left = this.#journal.waitingBytes; left > 0; ) {
      const chunk = await this.#journal.next();
      if (chunk === undefined) break;
      if (chunk.entries.length > 0) {
        const isFirst = !this.#mayBeStored;
        this.#mayBeStored = true;
        const stored = isFirst
          ? // What is told again may be there all the same.
            store.append(chunk.entries, { isFirst }).catch(() => store.append(chunk.entries))
          : store.append(chunk.entries);
        this.#end = (await stored).end;
        this.#mayBeStored = false;
      }
      chunk.take();
      left -= chunk.bytes;
      await nextTurn();
    }
    await this.#journal.release(() => database.sync());
    const isOver = this.#journal.waitingBytes === 0 && !this.#journal.hasSpentFile;
    if (this.#closing === undefined && !isOver) this.#moveTimer.start(MOVE_MS);
  }

  #recover(store: ChainStore, database: Database, { alsoLive }: { readonly alsoLive: boolean }): Promise<void> {
    const { directory, log, now, sinks } = this.#options;
    return recoverLeftovers<Recorded>({
      directory,
      owns: (path) => this.#journal.owns(path),
      entryOf: recordedOfLine,
      insert: async (events) => {
        if (events.length === 0) return;
        const { added } = await store.append(events);
        // Whether the process that died had sent them on, nobody knows: better twice, by the same id, than never.
        for (const { entry } of added) for (const sink of sinks) sink.offer(entry);
        await nextTurn();
      },
      async committed() {
        await database.sync();
        return true;
      },
      maxRows: TRANSACTION_ROWS,
      warn: (message) => log.warn(message),
      now,
      alsoLive,
    });
  }

  /** One at a time. */
  #move(work: (store: ChainStore, database: Database) => Promise<void>): Promise<void> {
    const done = this.#moving.then(async () => {
      try {
        this.#database ??= await this.#options.database();
        this.#store ??= createChainStore(this.#database, { seal: this.#options.sealFor(this.#database) });
        await work(this.#store, this.#database);
        this.#databaseTrouble.isOver();
      } catch (error) {
        this.#databaseTrouble.is(error);
        await this.#stillHere();
        if (this.#closing === undefined) this.#moveTimer.start(MOVE_MS);
        throw error;
      }
    });
    this.#moving = done.catch(() => undefined);
    return done;
  }

  /** While events cannot be stored, other processes must not take the journal for one of the dead. */
  async #stillHere(): Promise<void> {
    const now = this.#options.now();
    if (Math.abs(now - this.#touchedAt) < TOUCH_MS) return;
    this.#touchedAt = now;
    await this.#journal.touch().catch(() => undefined);
  }
}

export const SYSTEM = { type: "system", id: "system", name: "system" } as const;

function observe(metrics: Metrics, service: AuditService): void {
  metrics.observed({
    name: "loom_audit_queued_events",
    help: "Events of the audit log that are in memory only.",
    type: "gauge",
    read: () => service.state.queued,
  });
  metrics.observed({
    name: "loom_audit_journal_bytes",
    help: "Bytes in the audit journal that wait for the database.",
    type: "gauge",
    read: () => service.state.journalBytes,
  });
  metrics.observed({
    name: "loom_audit_dropped_events_total",
    help: "Events of the audit log given up because its queue was full.",
    type: "counter",
    read: () => service.state.dropped,
  });
}
