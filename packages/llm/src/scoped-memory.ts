export type ScopedMemoryBounds = {
  /** Most entries, of all scopes together. */
  readonly maxEntries: number;
  /** Most of their sizes, of all scopes together. */
  readonly maxSize: number;
};

type Entry<Value> = { readonly value: Value; readonly size: number };
/** Of one scope, longest unused first. */
type Scope<Value> = { readonly entries: Map<string, Entry<Value>>; size: number };

/**
 * Values by scope and key; nobody gets those of another scope. Where there is no more room, whoever has the most loses
 * what was longest unused, so that nobody can push out what all others have.
 */
export class ScopedMemory<Value> {
  readonly #bounds: ScopedMemoryBounds;
  readonly #scopes = new Map<string, Scope<Value>>();
  #count = 0;
  #size = 0;

  constructor(bounds: ScopedMemoryBounds) {
    this.#bounds = bounds;
  }

  has(scope: string): boolean {
    return this.#scopes.has(scope);
  }

  recall(scope: string, key: string): Value | undefined {
    const entries = this.#scopes.get(scope)?.entries;
    const entry = entries?.get(key);
    if (entries === undefined || entry === undefined) return undefined;
    entries.delete(key);
    entries.set(key, entry);
    return entry.value;
  }

  /** `valueSize`: characters of the value; those of the names come to it. What is larger than all the room is not kept. */
  keep(name: string, key: string, value: Value, valueSize: number): void {
    this.#forget(name, key);
    const { maxEntries, maxSize } = this.#bounds;
    const size = name.length + key.length + valueSize;
    if (size > maxSize) return;
    const scope = this.#scopes.get(name) ?? { entries: new Map(), size: 0 };
    this.#scopes.set(name, scope);
    scope.entries.set(key, { value, size });
    scope.size += size;
    this.#count += 1;
    this.#size += size;
    while (this.#count > maxEntries) this.#forgetOldest(({ entries }) => entries.size);
    while (this.#size > maxSize) this.#forgetOldest(({ size }) => size);
  }

  #forgetOldest(weight: (scope: Scope<Value>) => number): void {
    let heaviest: readonly [string, Scope<Value>] | undefined;
    for (const entry of this.#scopes) {
      if (heaviest === undefined || weight(entry[1]) > weight(heaviest[1])) heaviest = entry;
    }
    const [oldest] = heaviest?.[1].entries.keys() ?? [];
    if (heaviest !== undefined && oldest !== undefined) this.#forget(heaviest[0], oldest);
  }

  #forget(name: string, key: string): void {
    const scope = this.#scopes.get(name);
    const entry = scope?.entries.get(key);
    if (scope === undefined || entry === undefined) return;
    scope.entries.delete(key);
    scope.size -= entry.size;
    this.#count -= 1;
    this.#size -= entry.size;
    if (scope.entries.size === 0) this.#scopes.delete(name);
  }
}
