import { AUDIT_SEVERITIES, type AuditSeverity } from "../../../kit/audit-events.ts";
import type { Log } from "../../../kit/log.ts";
import { Trouble } from "../../../kit/trouble.ts";
import type { AuditEntry } from "../audit-entry.ts";
import type { AuditSink } from "../service.ts";

/** How events get to one place. */
export type SinkTarget = {
  /** For sentences and metrics: `file`, `syslog`, `webhook`. */
  readonly name: string;
  /** Events of one delivery, at most. */
  readonly batch: number;
  /** Tries of one delivery before it is given up; absent: until it works or newer ones push it out. */
  readonly tries?: number;
  /** All or, as far as it can tell, none. @throws what stood in the way. */
  deliver(entries: readonly AuditEntry[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

export type SinkOptions = {
  readonly minSeverity: AuditSeverity;
  readonly log: Log;
  /** Default 10,000. The oldest events make room for new ones. */
  readonly capacity?: number;
  /** Milliseconds before the second try; doubled up to a minute, with jitter. Default 1,000. */
  readonly firstPauseMs?: number;
};

const CAPACITY = 10_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** What is left at the end has so long to get away. */
const CLOSING_MS = 2_000;

/** A bounded queue in front of one place: it stalls nobody, whatever happens there. */
export class SinkQueue implements AuditSink {
  readonly #target: SinkTarget;
  readonly #options: SinkOptions;
  readonly #trouble: Trouble;
  readonly #stopping = new AbortController();
  #waiting: AuditEntry[] = [];
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #closing = false;
  delivered = 0;
  /** Pushed out by newer ones. */
  dropped = 0;
  /** Given up after too many tries. */
  failed = 0;

  constructor(target: SinkTarget, options: SinkOptions) {
    this.#target = target;
    this.#options = options;
    this.#trouble = new Trouble(options.log, `the audit sink ${target.name} does not take events: they wait`);
  }

  get name(): string {
    return this.#target.name;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  offer(entry: AuditEntry): void {
    if (this.#closing || !isGraveEnough(entry.severity, this.#options.minSeverity)) return;
    if (this.#waiting.length >= (this.#options.capacity ?? CAPACITY)) {
      this.#waiting.shift();
      this.dropped += 1;
    }
    this.#waiting.push(entry);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Gives what waits one more chance; what is left then is lost, and counted. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    const timer = setTimeout(() => this.#stopping.abort(), CLOSING_MS);
    await this.#running;
    clearTimeout(timer);
    this.dropped += this.#waiting.length;
    if (this.#waiting.length > 0) {
      const { name } = this.#target;
      this.#options.log.warn("audit events did not get to a sink", { sink: name, events: this.#waiting.length });
    }
    await this.#target.close();
  }

  async #run(): Promise<void> {
    let failures = 0;
    // Those that are offered in one turn go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      const batch = this.#waiting.slice(0, this.#target.batch);
      try {
        await this.#target.deliver(batch, this.#stopping.signal);
        this.#done(batch);
        this.delivered += batch.length;
        failures = 0;
        this.#trouble.isOver();
      } catch (error) {
        failures += 1;
        this.#trouble.is(error);
        if (failures >= (this.#target.tries ?? Number.POSITIVE_INFINITY)) {
          this.#done(batch);
          this.failed += batch.length;
          failures = 0;
        }
        if (this.#closing) return;
        await this.#pause(failures);
      }
    }
  }

  /** While they were on their way, some of them may have been pushed out. */
  #done(batch: readonly AuditEntry[]): void {
    const gone = new Set(batch);
    this.#waiting = this.#waiting.filter((entry) => !gone.has(entry));
  }

  #pause(failures: number): Promise<void> {
    const first = this.#options.firstPauseMs ?? FIRST_PAUSE_MS;
    const pause = Math.min(first * 2 ** Math.max(failures - 1, 0), LONGEST_PAUSE_MS);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause * (0.5 + Math.random() / 2));
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function isGraveEnough(severity: AuditSeverity, least: AuditSeverity): boolean {
  return AUDIT_SEVERITIES.indexOf(severity) >= AUDIT_SEVERITIES.indexOf(least);
}
