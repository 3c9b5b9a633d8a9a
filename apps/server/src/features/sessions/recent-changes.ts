/**
 * Remembers what has changed lately, so that an answer which was asked for before a change is not taken for true after
 * it. Bounded: what is forgotten counts as changed for whoever asked so long ago.
 */
export class RecentChanges {
  readonly #marks = new Map<string, number>();
  readonly #max: number;
  #now = 0;
  #floor = 0;

  constructor(max = 1_000) {
    this.#max = max;
  }

  /** A moment to ask about later. */
  get mark(): number {
    return this.#now;
  }

  add(key: string): void {
    this.#now += 1;
    this.#marks.delete(key);
    this.#marks.set(key, this.#now);
    if (this.#marks.size <= this.#max) return;
    const [oldest] = this.#marks;
    if (oldest === undefined) return;
    this.#marks.delete(oldest[0]);
    this.#floor = oldest[1];
  }

  addAll(): void {
    this.#now += 1;
    this.#marks.clear();
    this.#floor = this.#now;
  }

  hasChangedSince(mark: number, key: string): boolean {
    return mark < this.#floor || (this.#marks.get(key) ?? 0) > mark;
  }
}
