import { eventIdOf, type Place } from "./follow-place.ts";
import type { ThreadAccess } from "./thread-row.ts";

/** Somebody who follows a thread. Called when there may be more than before; it asks the store for what is new. */
export type Listener = { onNews(news: News | undefined): void };

/** Records that were appended just now behind `from`. */
export class News {
  readonly from: Place;
  readonly records: readonly string[];
  /** The thread as the database had it with them: whom another server has shut out just before, it shuts out. */
  readonly access: ThreadAccess;
  #events: string | undefined;

  constructor(from: Place, records: readonly string[], access: ThreadAccess) {
    this.from = from;
    this.records = records;
    this.access = access;
  }

  /** As server-sent events: made once, however many follow. */
  get events(): string {
    this.#events ??= eventsOf(this.from, this.records);
    return this.#events;
  }
}

/** Records behind a place as server-sent events, each with the place behind it (HTML, 9.2). */
export function eventsOf({ generation, version }: Place, records: readonly string[]): string {
  const idAt = (index: number): string => eventIdOf({ generation, version: version + index + 1 });
  return records.map((record, index) => `id: ${idAt(index)}\ndata: ${dataLine(record)}\n\n`).join("");
}

/** A carriage return would end the line: outside of strings, JSON has it as white space alone. */
function dataLine(record: string): string {
  return record.includes("\r") ? record.replaceAll("\r", " ") : record;
}

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
