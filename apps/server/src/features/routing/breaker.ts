import type { BreakerState } from "@loom/api";

export type BreakerOptions = {
  /** Failures in a row that open it. */
  readonly failuresInARow: number;
  /** Or this share of what ended within the window, of at least `minimum` requests. */
  readonly failureRatio: number;
  readonly minimum: number;
  readonly windowMs: number;
  /** How long it stays open; twice as long each time that the probe fails. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
};

export const BREAKER_OPTIONS: BreakerOptions = {
  failuresInARow: 5,
  failureRatio: 0.5,
  minimum: 20,
  windowMs: 30_000,
  backoffMs: 5_000,
  maxBackoffMs: 120_000,
};

const SLOTS = 6;
/** A probe that never told how it went does not block for ever. */
const PROBE_MS = 600_000;

type Slot = { readonly start: number; failed: number; ended: number };

/**
 * One circuit breaker: closed, open for a while after failures, then half open, when one request is let through to try.
 * Times are monotonic milliseconds, handed in.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #slots: Slot[] = [];
  #inARow = 0;
  #openUntil: number | undefined;
  #backoffMs: number;
  #probeUntil = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#backoffMs = options.backoffMs;
  }

  state(now: number): BreakerState {
    if (this.#openUntil === undefined) return "closed";
    return now < this.#openUntil ? "open" : "half_open";
  }

  /** Milliseconds until a request is let through to try; 0 where one is let through now. */
  opensInMs(now: number): number {
    if (this.#openUntil === undefined) return 0;
    return Math.max(0, this.#openUntil - now, this.#probeUntil - now);
  }

  /** Takes the place of the probe where there is one to be had. */
  enter(now: number): boolean {
    if (this.#openUntil === undefined) return true;
    if (this.opensInMs(now) > 0) return false;
    this.#probeUntil = now + PROBE_MS;
    return true;
  }

  /** Someone has got an answer from it, or the beginning of one. */
  alive(): void {
    if (this.#openUntil === undefined) return;
    this.#openUntil = undefined;
    this.#backoffMs = this.#options.backoffMs;
    this.#probeUntil = 0;
    this.#inARow = 0;
    this.#slots.length = 0;
  }

  ok(now: number): void {
    if (this.state(now) === "half_open") this.alive();
    this.#inARow = 0;
    if (this.#openUntil === undefined) this.#slot(now).ended += 1;
  }

  failed(now: number): void {
    const { maxBackoffMs, failuresInARow } = this.#options;
    switch (this.state(now)) {
      case "open":
        return;
      case "half_open":
        this.#backoffMs = Math.min(this.#backoffMs * 2, maxBackoffMs);
        this.#open(now);
        return;
      case "closed": {
        const slot = this.#slot(now);
        slot.ended += 1;
        slot.failed += 1;
        this.#inARow += 1;
        if (this.#inARow >= failuresInARow || this.#failsTooOften()) this.#open(now);
      }
    }
  }

  /** What had entered says nothing of how it went. */
  left(): void {
    this.#probeUntil = 0;
  }

  /** Whether it has nothing to remember. */
  isIdle(now: number): boolean {
    if (this.#openUntil !== undefined) return false;
    this.#forget(now);
    return this.#inARow === 0 && this.#slots.every((slot) => slot.failed === 0);
  }

  #open(now: number): void {
    this.#openUntil = now + this.#backoffMs;
    this.#probeUntil = 0;
    this.#inARow = 0;
    this.#slots.length = 0;
  }

  #failsTooOften(): boolean {
    const { failureRatio, minimum } = this.#options;
    let [failed, ended] = [0, 0];
    for (const slot of this.#slots) {
      failed += slot.failed;
      ended += slot.ended;
    }
    return ended >= minimum && failed >= ended * failureRatio;
  }

  #slot(now: number): Slot {
    this.#forget(now);
    const last = this.#slots.at(-1);
    if (last !== undefined && now < last.start + this.#options.windowMs / SLOTS) return last;
    const slot = { start: now, failed: 0, ended: 0 };
    this.#slots.push(slot);
    return slot;
  }

  #forget(now: number): void {
    while (this.#slots[0] !== undefined && this.#slots[0].start + this.#options.windowMs <= now) this.#slots.shift();
  }
}
