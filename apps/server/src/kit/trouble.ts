import type { Log } from "./log.ts";

/** Something that keeps failing is said when it begins and when it is over, and not every time. */
export class Trouble {
  readonly #log: Log;
  readonly #what: string;
  #lasts = false;

  constructor(log: Log, what: string) {
    this.#log = log;
    this.#what = what;
  }

  get lasts(): boolean {
    return this.#lasts;
  }

  is(error: unknown): void {
    if (!this.#lasts) this.#log.warn(this.#what, { error: String(error) });
    this.#lasts = true;
  }

  isOver(): void {
    if (this.#lasts) this.#log.info(`over: ${this.#what}`);
    this.#lasts = false;
  }
}
