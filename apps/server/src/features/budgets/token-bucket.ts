const MINUTE_MS = 60_000;

/** A limit per minute, of this process alone or of all. Monotonic milliseconds. */
export type MinuteLimit = {
  readonly perMinute: number;
  /** What can be taken now; a request for more than a minute's worth can be made when the bucket is full. */
  level(now: number): number;
  /** Milliseconds until `amount` can be taken; 0: now. `returned`: what comes back first. */
  waitFor(amount: number, now: number, returned?: number): number;
  /** Milliseconds until the bucket is full. */
  untilFull(now: number): number;
  changeLimit(perMinute: number, now: number): void;
  /** Gives what was taken. `returned`: what comes back first. */
  take(amount: number, returned?: number): number;
  /** Exchanges what was taken for what it came to. */
  correct(taken: number, actual: number): void;
};

/**
 * A limit per minute that lets through a minute's worth at once and fills up evenly. May go below zero: what turned out
 * larger than expected is paid for by waiting. Times are of a clock that does not jump; one that does costs at most a
 * refill.
 */
export class TokenBucket implements MinuteLimit {
  #perMinute: number;
  #level: number;
  #at: number;

  constructor(perMinute: number, now: number) {
    this.#perMinute = perMinute;
    this.#level = perMinute;
    this.#at = now;
  }

  get perMinute(): number {
    return this.#perMinute;
  }

  /** What is in use stays in use. */
  changeLimit(perMinute: number, now: number): void {
    this.#fill(now);
    this.#level += perMinute - this.#perMinute;
    this.#perMinute = perMinute;
  }

  level(now: number): number {
    this.#fill(now);
    return this.#level;
  }

  waitFor(amount: number, now: number, returned = 0): number {
    this.#fill(now);
    const missing = Math.min(amount, this.#perMinute) - (this.#level + returned);
    return missing <= 0 ? 0 : Math.ceil((missing / this.#perMinute) * MINUTE_MS);
  }

  untilFull(now: number): number {
    return this.waitFor(this.#perMinute, now);
  }

  take(amount: number, returned = 0): number {
    if (returned > 0) this.correct(returned, 0);
    const taken = Math.min(amount, this.#perMinute);
    this.#level -= taken;
    return taken;
  }

  correct(taken: number, actual: number): void {
    this.#level = Math.min(this.#perMinute, this.#level + taken - actual);
  }

  #fill(now: number): void {
    const passed = now - this.#at;
    this.#at = now;
    if (passed <= 0) return;
    this.#level = Math.min(this.#perMinute, this.#level + (passed / MINUTE_MS) * this.#perMinute);
  }
}
