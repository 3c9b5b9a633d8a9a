import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";

/** What clocks that are set by NTP never differ by, and what a database that is slow to answer may add. */
const TOLERATED_MS = 5_000;

/** Compares this server's clock with the database's, and says it when they begin to differ. */
export class ClockWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  #aheadMs = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** How far this server's clock is ahead of the database's, in milliseconds; negative: behind. 0 up to five seconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** `askedAt`: what this server's clock said before the database was asked for `databaseNow`. */
  compare(databaseNow: number, askedAt: number): void {
    const answeredAt = Math.max(askedAt, this.#clock.wall());
    const nearest = Math.min(Math.max(databaseNow, askedAt), answeredAt);
    const aheadMs = Math.round(nearest - databaseNow);
    const differs = Math.abs(aheadMs) > TOLERATED_MS;
    if (differs && this.#aheadMs === 0) {
      this.#log.warn(
        "this server's clock differs from the database's: set both by NTP; days and months of budgets begin by this one",
        { aheadMs },
      );
    }
    this.#aheadMs = differs ? aheadMs : 0;
  }
}
