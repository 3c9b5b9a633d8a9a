const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
/** With the bytes of a byte order mark. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, LF, CR, 0xef, 0xbb, 0xbf]);

/**
 * What a stream of events begins with, and is no event (HTML, 9.2.6): comments, by which a connection is kept alive while a
 * model is slow, and blank lines.
 */
export class LeadingComments {
  #inComment = false;

  /** Where in the next bytes of the stream something else begins; -1 where nothing does. Not asked again behind that. */
  startIn(chunk: Buffer): number {
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (this.#inComment) this.#inComment = byte !== LF && byte !== CR;
      else if (byte === COLON) this.#inComment = true;
      else if (!BLANKS.has(byte)) return at;
    }
    return -1;
  }
}
