import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./bytes.ts";
import { type JsonKey, knownKey } from "./keys.ts";
import { endOfLargeString, endOfLargeValue } from "./skip.ts";
import { parsed } from "./value.ts";

/** One member of a JSON object, as offsets into the bytes; ends are exclusive. */
export type JsonMember = {
  /** Of the key's opening quote. */
  readonly keyStart: number;
  readonly start: number;
  readonly end: number;
};

/** The top level of a JSON object in its bytes. */
export type JsonMembers = {
  readonly bytes: Buffer;
  /** Those of `JSON_KEYS` that are there. */
  readonly members: ReadonlyMap<string, JsonMember>;
  /** Whether there are any members at all. */
  readonly isEmpty: boolean;
  /** Behind the opening brace. */
  readonly open: number;
  /** One that stands there in another case; it is not among `members`. */
  readonly inOtherCase: JsonKey | undefined;
};

export type ScannedJson =
  | { readonly ok: true; readonly top: JsonMembers }
  | { readonly ok: false; readonly problem: string };

/** From so many bytes on, what may be a large value is passed over by a program that is faster once it runs. */
const LARGE = 4 * 1024;

/** So far a string is walked through before a search in native code is worth its price, in bytes. */
const STRETCH = 64;

/**
 * Finds the members at the top level of a JSON object without building it: a prompt of many kilobytes is skipped at the
 * speed of a search for quotation marks. Everything at the top level is checked; what lies deeper is left to whoever
 * reads it. One of `JSON_KEYS` that comes twice is refused, because readers differ in which of the two they believe.
 */
export function scanJsonObject(bytes: Buffer): ScannedJson {
  const members = new Map<string, JsonMember>();
  let inOtherCase: JsonKey | undefined;
  let at = skipBlanks(bytes, 0);
  if (bytes[at] !== OPEN_BRACE) return { ok: false, problem: "The body is not a JSON object." };
  const open = ++at;
  at = skipBlanks(bytes, at);
  const isEmpty = bytes[at] === CLOSE_BRACE;
  if (!isEmpty) {
    for (;;) {
      const keyStart = at;
      const keyEnd = bytes[at] === QUOTE ? endOfString(bytes, at) : -1;
      if (keyEnd === -1) return malformed(at);
      const found = knownKey(bytes, keyStart + 1, keyEnd - 1);
      at = skipBlanks(bytes, keyEnd);
      if (bytes[at] !== COLON) return malformed(at);
      const start = skipBlanks(bytes, at + 1);
      const end = endOfValue(bytes, start);
      if (end === -1) return malformed(start);
      if (found?.isExact === true) {
        if (members.has(found.key)) return { ok: false, problem: "The body has a field twice at its top level." };
        members.set(found.key, { keyStart, start, end });
      } else if (found !== undefined) inOtherCase ??= found.key;
      at = skipBlanks(bytes, end);
      if (bytes[at] === CLOSE_BRACE) break;
      if (bytes[at] !== COMMA) return malformed(at);
      at = skipBlanks(bytes, at + 1);
    }
  }
  at = skipBlanks(bytes, at + 1);
  return at === bytes.length ? { ok: true, top: { bytes, members, isEmpty, open, inOtherCase } } : malformed(at);
}

/** The value of a member; `undefined` where there is none, it is not JSON, or it exceeds what `parsed` takes. */
export function memberValue(top: JsonMembers, key: JsonKey): unknown {
  const member = top.members.get(key);
  if (member === undefined) return undefined;
  const { bytes } = top;
  const { start, end } = member;
  switch (bytes[start]) {
    case QUOTE: {
      const text = bytes.toString("utf8", start + 1, end - 1);
      // Without escapes it means itself.
      if (!text.includes("\\")) return text;
      break;
    }
    case 0x74:
      return true;
    case 0x66:
      return false;
    case 0x6e:
      return null;
  }
  return parsed(bytes.toString("utf8", start, end));
}

function malformed(at: number): ScannedJson {
  return { ok: false, problem: `The body is not valid JSON (at byte ${at}).` };
}

export function skipBlanks(bytes: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}

/**
 * Behind the closing quote of the string that opens at `start`; -1 where it does not end. Walks, and takes a leap in
 * native code to the next quote where a stretch held none: code is full of them, and a leap costs as much as many steps.
 * Other escapes, like the ends of lines that every prompt has, are no reason to walk on. What is
 * still full of quotes after kilobytes is left to the program for large values.
 */
function endOfString(bytes: Buffer, start: number): number {
  const { length } = bytes;
  let at = start + 1;
  let walked = 0;
  while (at < length) {
    if (walked >= LARGE) return endOfLargeString(bytes, at);
    const from = at;
    let leapAt = Math.min(at + STRETCH, length);
    while (at < leapAt) {
      const byte = bytes[at];
      if (byte === QUOTE) return at + 1;
      at += 1;
      if (byte !== BACKSLASH) continue;
      if (bytes[at] === QUOTE) leapAt = Math.min(at + 1 + STRETCH, length);
      at += 1;
      if (at - from >= LARGE) break;
    }
    walked += at - from;
    if (walked >= LARGE) continue;
    const quote = bytes.indexOf(QUOTE, at);
    if (quote === -1) return -1;
    if (!isEscaped(bytes, quote, at)) return quote + 1;
    at = quote + 1;
  }
  return -1;
}

/** Whether the backslashes before `quote`, down to `from`, are odd in number. */
function isEscaped(bytes: Buffer, quote: number, from: number): boolean {
  let at = quote;
  while (at > from && bytes[at - 1] === BACKSLASH) at -= 1;
  return (quote - at) % 2 === 1;
}

/**
 * Behind the value that begins at `start`; -1 where there is none. For values of which there may be many: the program for
 * large ones, which costs some kilobytes for each, is asked about none that ends before.
 */
export function endOfItem(bytes: Buffer, start: number): number {
  const byte = bytes[start];
  if (byte !== OPEN_BRACE && byte !== OPEN_BRACKET) return endOfValue(bytes, start);
  const end = endOfNested(bytes.subarray(start, start + LARGE), 0);
  return end === -1 ? endOfLargeValue(bytes, start) : start + end;
}

/** Behind the string whose opening quote is at `start`; -1 where there is none. */
export function endOfText(bytes: Buffer, start: number): number {
  return bytes[start] === QUOTE ? endOfString(bytes, start) : -1;
}

function endOfValue(bytes: Buffer, start: number): number {
  switch (bytes[start]) {
    case QUOTE:
      return endOfString(bytes, start);
    case OPEN_BRACE:
    case OPEN_BRACKET:
      return bytes.length - start < LARGE ? endOfNested(bytes, start) : endOfLargeValue(bytes, start);
    default:
      return endOfLiteral(bytes, start);
  }
}

function endOfNested(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; ) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
      if (at === -1) return -1;
      continue;
    }
    at += 1;
    if (byte === BACKSLASH) return -1;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return at;
  }
  return -1;
}

/** A number, `true`, `false` or `null`. */
function endOfLiteral(bytes: Buffer, start: number): number {
  let end = start;
  while (isLiteralByte(bytes[end])) end += 1;
  return end > start && LITERAL.test(bytes.toString("latin1", start, Math.min(end, start + 64))) ? end : -1;
}

const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** Letters, digits, `+`, `-` and `.` */
function isLiteralByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const letter = byte | 0x20;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (letter >= 0x61 && letter <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  );
}
