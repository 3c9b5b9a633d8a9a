import { randomBytes } from "node:crypto";

const SPACE = 0x20;
/** The hash of Fowler, Noll and Vo (FNV-1a). */
const FNV_PRIME = 0x01000193;
/** Another one in each process: nobody can write words that all fall into one place. */
const FNV_BASIS = randomBytes(4).readInt32LE();
/** Of a UTF-16 unit in UTF-8, at most. */
const BYTES_PER_UNIT = 3;
/** Places of the table for each term that it has room for: most are empty. */
const SPARSENESS = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Terms in UTF-8 with spaces between them, and how often each is there. Millions of them are written and few are ever
 * looked at: typed arrays that are used again and again leave no garbage behind.
 */
export class TermText {
  #bytes = new Uint8Array(16 * 1024);
  #used = 0;
  #terms = 0;
  /** Of the different terms, in the order in which they came. */
  #distinct = 0;
  #starts = new Int32Array(1024);
  #ends = new Int32Array(1024);
  #hashes = new Int32Array(1024);
  #counts = new Int32Array(1024);
  /** Open addressing: one more than the number of a term, or 0. */
  #slots = new Int32Array(SPARSENESS * 1024);

  /** How many terms there are, the same ones included. */
  get terms(): number {
    return this.#terms;
  }

  get byteLength(): number {
    return this.#used;
  }

  /** Good until something is added. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  /** ASCII letters and digits of a text, in lower case. */
  addPlain(text: string, from: number, to: number): void {
    const start = this.#begin(to - from);
    let end = start;
    let hash = FNV_BASIS;
    for (let at = from; at < to; at++) {
      // The bit that small letters have and capitals have not; every digit has it.
      const byte = text.charCodeAt(at) | 0x20;
      this.#bytes[end++] = byte;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
    this.#end(start, end, hash);
  }

  add(term: string): void {
    const start = this.#begin(BYTES_PER_UNIT * term.length);
    const { written } = encoder.encodeInto(term, this.#bytes.subarray(start));
    this.#end(start, start + written, this.#hashOf(start, start + written));
  }

  /** What stands in another text from the byte `from` on, without its spaces; of that, `maxBytes`. */
  addJoined(other: TermText, from: number, maxBytes: number): void {
    const start = this.#begin(maxBytes);
    let end = start;
    for (let at = from; at < other.#used && end - start < maxBytes; at++) {
      const byte = other.#bytes[at] ?? SPACE;
      if (byte !== SPACE) this.#bytes[end++] = byte;
    }
    this.#end(start, end, this.#hashOf(start, end));
  }

  /** Takes the term back that was added last, if it had been there before. */
  dropRepeated(before: number): void {
    if (this.#terms === this.#distinct) return;
    this.#used = before;
    this.#terms = this.#distinct;
  }

  /** The different terms. */
  *distinct(): Generator<string, void> {
    for (let index = 0; index < this.#distinct; index++) {
      yield decoder.decode(this.#bytes.subarray(this.#starts[index], this.#ends[index]));
    }
  }

  /** Writes the terms that are there more than once, as a text that SQL can look into: `|foo=3|bar=2|`. */
  writeRepeats(into: ByteText): void {
    into.addByte(BAR);
    for (let index = 0; index < this.#distinct; index++) {
      const count = this.#counts[index] ?? 0;
      if (count < 2) continue;
      into.add(this.#bytes, this.#starts[index] ?? 0, this.#ends[index] ?? 0);
      into.addByte(EQUALS);
      into.addNumber(count);
      into.addByte(BAR);
    }
  }

  clear(): void {
    this.#slots.fill(0);
    this.#used = 0;
    this.#terms = 0;
    this.#distinct = 0;
  }

  /** Where a term of so many bytes begins. */
  #begin(bytes: number): number {
    if (this.#used + bytes + 1 > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#used + bytes + 1);
    if (this.#used > 0) this.#bytes[this.#used++] = SPACE;
    return this.#used;
  }

  #hashOf(start: number, end: number): number {
    let hash = FNV_BASIS;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (this.#bytes[at] ?? 0), FNV_PRIME);
    return hash;
  }

  #end(start: number, end: number, hash: number): void {
    this.#used = end;
    this.#terms += 1;
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let found = this.#slots[slot] ?? 0; found !== 0; found = this.#slots[slot] ?? 0) {
      if (this.#hashes[found - 1] === hash && this.#isAt(found - 1, start, end)) {
        this.#counts[found - 1] = (this.#counts[found - 1] ?? 0) + 1;
        return;
      }
      slot = (slot + 1) & mask;
    }
    const index = this.#distinct++;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#hashes[index] = hash;
    this.#counts[index] = 1;
    this.#slots[slot] = index + 1;
    if (this.#distinct === this.#starts.length) this.#makeRoom();
  }

  #isAt(index: number, start: number, end: number): boolean {
    const known = this.#starts[index] ?? 0;
    if ((this.#ends[index] ?? 0) - known !== end - start) return false;
    for (let at = 0; at < end - start; at++) {
      if (this.#bytes[known + at] !== this.#bytes[start + at]) return false;
    }
    return true;
  }

  #makeRoom(): void {
    const size = 2 * this.#starts.length;
    this.#starts = grown(this.#starts, size);
    this.#ends = grown(this.#ends, size);
    this.#hashes = grown(this.#hashes, size);
    this.#counts = grown(this.#counts, size);
    this.#slots = new Int32Array(SPARSENESS * size);
    const mask = this.#slots.length - 1;
    for (let index = 0; index < this.#distinct; index++) {
      const hash = this.#hashes[index] ?? 0;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = index + 1;
    }
  }
}

const BAR = 0x7c;
const EQUALS = 0x3d;
const ZERO = 0x30;

/** Texts in UTF-8, one behind the other. */
export class ByteText {
  #bytes = new Uint8Array(64 * 1024);
  #used = 0;

  get byteLength(): number {
    return this.#used;
  }

  /** A copy that is no longer than it has to be: to be handed over. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#used);
  }

  add(bytes: Uint8Array, from = 0, to = bytes.length): void {
    this.#ensure(to - from);
    for (let at = from; at < to; at++) this.#bytes[this.#used++] = bytes[at] ?? 0;
  }

  addByte(byte: number): void {
    this.#ensure(1);
    this.#bytes[this.#used++] = byte;
  }

  /** A whole number that is not negative, in digits. */
  addNumber(value: number): void {
    if (value > 9) this.addNumber(Math.floor(value / 10));
    this.addByte(ZERO + (value % 10));
  }

  clear(): void {
    this.#used = 0;
  }

  #ensure(bytes: number): void {
    if (this.#used + bytes > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#used + bytes);
  }
}

/** A longer one that begins with the same: twice as long, or as long as asked for. */
function grown<Numbers extends Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  numbers: Numbers,
  atLeast: number,
): Numbers {
  const Kind = numbers.constructor as new (length: number) => Numbers;
  const longer = new Kind(Math.max(2 * numbers.length, atLeast));
  longer.set(numbers);
  return longer;
}
