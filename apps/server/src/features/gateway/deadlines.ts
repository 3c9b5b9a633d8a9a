import { type Listed, LiveList } from "../../kit/live-list.ts";

/** Something that waits, until when, and what happens then. */
export type Waiter = Listed & { readonly deadline: number; onDeadline(): void };

const TICK_MS = 100;

/**
 * One timer for all that waits: a timer for each request, set back by each chunk, would cost as much as some of the
 * work on it. Deadlines are never noticed early, and up to two ticks late; or two turns of the event loop, where those
 * take longer.
 */
export class Deadlines {
  readonly #waiting = new LiveList<Waiter>();
  readonly #monotonic: () => number;
  #now: number;
  #timer: NodeJS.Timeout | undefined;
  /** From one look to the next, the last time. */
  #turnMs = TICK_MS;

  /** `monotonic`: milliseconds since whenever. */
  constructor(monotonic: () => number = processMs) {
    this.#monotonic = monotonic;
    this.#now = monotonic();
  }

  /** The deadline of what may take `ms` from now on; in the time of this clock, which goes by ticks. */
  after(ms: number): number {
    return this.#now + ms + TICK_MS;
  }

  add(waiter: Waiter): void {
    this.#waiting.add(waiter);
    if (this.#timer !== undefined) return;
    this.#now = this.#monotonic();
    this.#turnMs = TICK_MS;
    this.#timer = setInterval(() => this.#look(), TICK_MS);
  }

  delete(waiter: Waiter): void {
    this.#waiting.delete(waiter);
  }

  #look(): void {
    const before = this.#now;
    const now = this.#monotonic();
    this.#now = now;
    // Where this process itself stood still, what came in meanwhile has not been read yet, and what was set meanwhile was
    // set by a clock that stood still, too. It may do so all the time, on a machine that is overloaded.
    const turnMs = now - before;
    const stoodStillMs = Math.max(0, turnMs - TICK_MS, this.#turnMs - TICK_MS);
    this.#turnMs = turnMs;
    for (const waiter of this.#waiting.all()) {
      if (waiter.deadline + stoodStillMs > now) continue;
      this.#waiting.delete(waiter);
      waiter.onDeadline();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Milliseconds of the process; `performance.now()` would load a module for the same. */
function processMs(): number {
  return process.uptime() * 1000;
}
