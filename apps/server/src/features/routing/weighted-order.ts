/**
 * An order of the items that depends on `key` alone: over many keys, each is first as often as its weight says, and the
 * rest follow likewise. A change of one weight moves only the keys that it has to move (weighted rendezvous hashing,
 * Schindelhauer and Schomaker 2005).
 */
export function weightedOrder<Item>(
  items: readonly Item[],
  of: (item: Item) => { readonly id: string; readonly weight: number },
  key: string,
): readonly Item[] {
  if (items.length < 2) return items;
  return items
    .map((item, index) => {
      const { id, weight } = of(item);
      return { item, index, score: -Math.log(unitHash(`${key}\0${id}`)) / weight };
    })
    .sort((a, b) => a.score - b.score || a.index - b.index)
    .map(({ item }) => item);
}

/** In (0, 1), the same on every machine: FNV-1a over UTF-16, mixed as MurmurHash3 ends. */
function unitHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return ((hash >>> 0) + 0.5) / 4_294_967_296;
}
