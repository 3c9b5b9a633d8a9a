const BYTE_ORDER_MARK = 0xfeff;
const NOTHING = new Uint8Array(0);

/**
 * Text from bytes that arrive in pieces. A character cut in two is kept for the next piece, a byte order mark at the
 * very start is dropped, and what is not UTF-8 becomes U+FFFD. Faster than `TextDecoder` in its own streaming mode,
 * which in Node leaves the fast path.
 */
export class Utf8Decoder {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** At most three bytes: the start of a character. */
  #kept: Uint8Array = NOTHING;
  #started = false;

  push(bytes: Uint8Array): string {
    const all = this.#kept.length === 0 ? bytes : joined(this.#kept, bytes);
    const whole = all.length - unfinishedBytes(all);
    if (whole === all.length) {
      this.#kept = NOTHING;
      return this.#text(all);
    }
    // A copy, because the caller may reuse its buffer.
    this.#kept = all.slice(whole);
    return this.#text(all.subarray(0, whole));
  }

  /** What was kept of an unfinished character, as U+FFFD; mostly empty. */
  end(): string {
    const rest = this.#kept;
    this.#kept = NOTHING;
    return this.#text(rest);
  }

  #text(bytes: Uint8Array): string {
    if (bytes.length === 0) return "";
    const text = this.#decoder.decode(bytes);
    if (this.#started) return text;
    this.#started = true;
    return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** How many bytes at the end are the start of a character whose other bytes are still to come: 0 to 3. */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes[bytes.length - back];
    if (byte === undefined || byte < 0x80) return 0;
    if (byte >= 0xc0) return back < sequenceLength(byte) ? back : 0;
  }
  return 0;
}

function sequenceLength(leadByte: number): number {
  if (leadByte >= 0xf0) return 4;
  return leadByte >= 0xe0 ? 3 : 2;
}
