/**
 * What waits for its turn, of many senders: each has his turn after all others, and where it is full, who has the most in
 * it loses his newest. So nobody who sends much takes anything from who sends little.
 */
export class FairQueue<Item> {
  readonly #max: number;
  /** The sender whose turn is next comes first; nobody has none. */
  readonly #items = new Map<string, Item[]>();
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Gives how many had to be dropped for it, or it itself: none or one. */
  push(sender: string, item: Item): 0 | 1 {
    const own = this.#items.get(sender) ?? [];
    if (this.#size >= this.#max) {
      const longest = this.#longest();
      if (longest === undefined || longest.length <= own.length + 1) return 1;
      // More than one, so that its sender is still there.
      longest.pop();
      own.push(item);
      this.#items.set(sender, own);
      return 1;
    }
    own.push(item);
    this.#items.set(sender, own);
    this.#size += 1;
    return 0;
  }

  shift(): Item | undefined {
    for (const [sender, items] of this.#items) {
      const item = items.shift();
      this.#items.delete(sender);
      if (items.length > 0) this.#items.set(sender, items);
      this.#size -= 1;
      return item;
    }
    return undefined;
  }

  /** Gives how many there were. */
  clear(): number {
    const size = this.#size;
    this.#items.clear();
    this.#size = 0;
    return size;
  }

  #longest(): Item[] | undefined {
    let longest: Item[] | undefined;
    for (const items of this.#items.values()) {
      if (longest === undefined || items.length > longest.length) longest = items;
    }
    return longest;
  }
}
