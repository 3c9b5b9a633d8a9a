/** Deeper nesting is refused: it could be read, but writing it out again would exhaust the stack. */
export const MAX_JSON_DEPTH = 512;

/**
 * Numbers, texts, lists, objects, all told. The longest conversations of a model have a tenth of that; to read and write
 * this many already takes the better part of a second, in which nothing else happens.
 */
export const MAX_JSON_VALUES = 250_000;

/** In characters. What a shorter text can cost is bounded by its length, and nobody has to look before it is parsed. */
export const LARGE_JSON = 64 * 1024;

export type JsonBounds = {
  /** Most objects and lists that lie in one another. */
  readonly depth: number;
  readonly values: number;
};

export const JSON_BOUNDS: JsonBounds = { depth: MAX_JSON_DEPTH, values: MAX_JSON_VALUES };

/** What of a text is more than may be parsed. */
export type JsonExcess = "depth" | "values";

/**
 * Which of the bounds a JSON text exceeds (RFC 8259); what is empty counts as two values. One look at the text, no further than to where a bound is exceeded,
 * and without parsing it: ten million brackets take `JSON.parse` half a minute. Of a text that is no JSON it gives what is true
 * of the part before the mistake, which is as far as a parser goes.
 */
export function jsonExcess(text: string, { depth: maxDepth, values: maxValues }: JsonBounds): JsonExcess | undefined {
  // A list takes two brackets, and a value and what parts it from the next one two characters.
  if (text.length <= 2 * Math.min(maxDepth, maxValues)) return undefined;
  let depth = 0;
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = stringEnd(text, at + 1);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth += 1;
        values += 1;
        if (depth > maxDepth) return "depth";
        if (values > maxValues) return "values";
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth -= 1;
        break;
      case COMMA:
        values += 1;
        if (values > maxValues) return "values";
    }
  }
  return undefined;
}

/** Behind "The body " or the like. */
export function excessClause(excess: JsonExcess, { depth, values }: JsonBounds): string {
  return excess === "depth"
    ? `is nested too deeply: at most ${depth} objects and lists may lie in one another`
    : `has too many values: at most ${values} numbers, texts, lists and objects may be in it, all told`;
}

const QUOTE = 34;
const COMMA = 44;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Where a stretch held no quote, one leap in native code to the next is cheaper than to walk on. */
const STRETCH = 48;

/** Where the closing quote is of the string whose content begins at `start`, or the text ends. */
function stringEnd(text: string, start: number): number {
  let leapAt = start + STRETCH;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
    else if (at >= leapAt) {
      const end = text.indexOf('"', at);
      if (end === -1) return text.length;
      let before = end;
      while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
      if ((end - before) % 2 === 0) return end;
      at = end;
      leapAt = at + STRETCH;
    }
  }
  return text.length;
}
