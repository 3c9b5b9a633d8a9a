/** FNV-1a over UTF-16 code units, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/**
 * How much a thing is drawn to a place: the place with the highest score has it. Whoever leaves takes only its own things
 * along (rendezvous hashing, Thaler and Ravishankar 1998), and each place gets things by its weight.
 * @param thing and `place` are hashes of their names.
 */
export function attraction(thing: number, place: number, weight: number): number {
  // The finalizer of MurmurHash3 spreads what differs in one bit over all of them.
  let mixed = thing ^ place;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  return -weight / Math.log((mixed + 1) / (2 ** 32 + 1));
}
