const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Tells whether a text that comes in pieces begins as a JSON object, and when it has come to its end. Takes one look at each character. */
export class JsonObjectEnd {
  #begin = "";
  #depth = 0;
  #inString = false;
  #escaped = false;
  #ended = false;

  /** Whether the object is whole. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the text began as an object does; not before anything but white space came. */
  get isObject(): boolean {
    return this.#begin === "{";
  }

  push(piece: string): void {
    if (this.#begin === "") this.#begin = piece.trimStart().charAt(0);
    for (let index = 0; index < piece.length && !this.#ended; index++) this.#read(piece.charCodeAt(index));
  }

  #read(code: number): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (code === BACKSLASH) this.#escaped = true;
      else if (code === QUOTE) this.#inString = false;
    } else if (code === QUOTE) this.#inString = true;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.#depth += 1;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      this.#depth -= 1;
      this.#ended = this.#depth <= 0;
    }
  }
}
