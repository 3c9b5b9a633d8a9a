/** Something that waits, until when, and what happens then. Times as of `nowMs()`. */
export type Waiter = { readonly deadline: number; onDeadline(): void };

/** Deadlines are noticed this much late at most, in milliseconds. */
const TICK_MS = 100;

/** One timer for all that waits: a timer for each request would cost as much as some of the work on it. */
export class Deadlines {
  readonly #waiting = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;

  add(waiter: Waiter): void {
    this.#waiting.add(waiter);
    this.#timer ??= setInterval(() => this.#look(), TICK_MS);
  }

  delete(waiter: Waiter): void {
    this.#waiting.delete(waiter);
  }

  #look(): void {
    const now = nowMs();
    for (const waiter of this.#waiting) {
      if (waiter.deadline > now) continue;
      this.#waiting.delete(waiter);
      waiter.onDeadline();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Milliseconds of the process; `performance.now()` would load a module for the same. */
export function nowMs(): number {
  return process.uptime() * 1000;
}
