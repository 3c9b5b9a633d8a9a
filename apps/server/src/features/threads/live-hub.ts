/** Somebody who follows a thread. Called when there may be more than before; it asks the store for what is new. */
export type Listener = { onNews(news: News | undefined): void };

/** Records that were appended just now behind `from`. */
export type News = { readonly from: number; readonly records: readonly string[] };

/** Who follows which thread on this server. */
export class LiveHub {
  readonly #listeners = new Map<string, Set<Listener>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Ids of the threads that somebody follows. */
  get followed(): readonly string[] {
    return [...this.#listeners.keys()];
  }

  add(id: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    this.#size += 1;
    return () => {
      if (!listeners.delete(listener)) return;
      this.#size -= 1;
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  /** Without `news`: something has changed, by whatever server. */
  tell(id: string, news?: News): void {
    for (const listener of [...(this.#listeners.get(id) ?? [])]) listener.onNews(news);
  }
}
