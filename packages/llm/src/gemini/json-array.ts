const QUOTE = 34;
const BACKSLASH = 92;
const OPEN = new Set([91, 123]);
const CLOSE = new Set([93, 125]);

/** The objects of a JSON array that comes in pieces, each as text as soon as it is whole. Takes one look at each character. */
export class JsonArraySplitter {
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The element that is not whole yet. */
  #element = "";

  /** Characters of the element that is not whole yet. */
  get size(): number {
    return this.#element.length;
  }

  push(text: string): string[] {
    const whole: string[] = [];
    let start = 0;
    for (let index = 0; index < text.length; index++) {
      const before = this.#depth;
      this.#read(text.charCodeAt(index));
      // The array itself is the first level, its elements begin at the second.
      if (before === 1 && this.#depth === 2) start = index;
      if (before === 2 && this.#depth === 1) {
        whole.push(this.#element + text.slice(start, index + 1));
        this.#element = "";
      }
    }
    if (this.#depth >= 2) this.#element += text.slice(start);
    return whole;
  }

  #read(code: number): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (code === BACKSLASH) this.#escaped = true;
      else if (code === QUOTE) this.#inString = false;
    } else if (code === QUOTE) this.#inString = true;
    else if (OPEN.has(code)) this.#depth += 1;
    else if (CLOSE.has(code)) this.#depth = Math.max(0, this.#depth - 1);
  }
}
