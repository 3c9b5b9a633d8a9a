/** What can be in a `LiveList`: it keeps its own place there, and is in one such list at most. */
export type Listed = {
  /** For the list alone; -1: in none. */
  place: number;
};

/**
 * What is alive at the moment, where things come and go thousands of times a second. A `Set` would do, but for V8: it
 * replaces the table of such a set all the time, each old table refers to the next one and to all that was in it, and as
 * soon as one of them is in the old generation, everything that ever passes through lives on until the next major
 * collection. Here a quarter of a server's garbage was collected late, and a minor collection took six times as long.
 */
export class LiveList<Item extends Listed> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Does nothing where it is in the list already. */
  add(item: Item): void {
    if (item.place !== -1) return;
    item.place = this.#items.push(item) - 1;
  }

  /** Does nothing where it is not in the list. */
  delete(item: Item): void {
    if (item.place === -1) return;
    const last = this.#items.pop();
    if (last !== undefined && last !== item) {
      this.#items[item.place] = last;
      last.place = item.place;
    }
    item.place = -1;
  }

  /** Those of this moment, in no order; the list may be changed meanwhile. */
  all(): readonly Item[] {
    return [...this.#items];
  }
}
