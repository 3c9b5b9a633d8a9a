import type { Clock } from "./clock.ts";

/** Everything that was started and has not ended, so that nothing is left behind. */
export class TaskGroup {
  readonly #tasks = new Set<Promise<void>>();
  readonly #onFault: (error: unknown) => void;

  /** `onFault` hears of a task that rejects, which none should. */
  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault;
  }

  /** Starts the task; the promise resolves when it has ended, however. */
  run(task: () => Promise<void>): Promise<void> {
    const tracked = task()
      .catch(this.#onFault)
      .finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
    return tracked;
  }

  /** Resolves when all have ended, those too that were started meanwhile, or when `graceMs` are over. */
  async ended(clock: Clock, graceMs: number): Promise<void> {
    if (this.#tasks.size === 0) return;
    const grace = Promise.withResolvers<"over">();
    const timer = clock.setTimeout(() => grace.resolve("over"), graceMs);
    while (this.#tasks.size > 0) {
      if ((await Promise.race([Promise.all(this.#tasks), grace.promise])) === "over") break;
    }
    clock.clearTimeout(timer);
  }
}
