import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./bytes.ts";
import { endOfItem, endOfText, skipBlanks } from "./members.ts";

/** No key that anybody looks for is longer, however it is escaped, in bytes. */
const MAX_KEY = 256;

/**
 * Each member of the object at `start` in its order: its key (empty where it is too long to be looked for), where the key
 * begins, and where the value begins and ends. Nothing where there is no object. `false`: it is not valid JSON.
 */
export function eachMember(
  bytes: Buffer,
  start: number,
  visit: (key: string, keyStart: number, from: number, to: number) => void,
): boolean {
  if (bytes[start] !== OPEN_BRACE) return true;
  let at = skipBlanks(bytes, start + 1);
  if (bytes[at] === CLOSE_BRACE) return true;
  for (;;) {
    const keyStart = at;
    const keyEnd = endOfText(bytes, at);
    if (keyEnd === -1) return false;
    at = skipBlanks(bytes, keyEnd);
    if (bytes[at] !== COLON) return false;
    const from = skipBlanks(bytes, at + 1);
    const to = endOfItem(bytes, from);
    if (to === -1) return false;
    visit(keyEnd - keyStart > MAX_KEY ? "" : textAt(bytes, keyStart, keyEnd), keyStart, from, to);
    at = skipBlanks(bytes, to);
    if (bytes[at] === CLOSE_BRACE) return true;
    if (bytes[at] !== COMMA) return false;
    at = skipBlanks(bytes, at + 1);
  }
}

/** Each element of the array at `start` in its order. Nothing where there is no array. `false`: it is not valid JSON. */
export function eachElement(bytes: Buffer, start: number, visit: (from: number, to: number) => void): boolean {
  if (bytes[start] !== OPEN_BRACKET) return true;
  let at = skipBlanks(bytes, start + 1);
  if (bytes[at] === CLOSE_BRACKET) return true;
  for (;;) {
    const to = endOfItem(bytes, at);
    if (to === -1) return false;
    visit(at, to);
    at = skipBlanks(bytes, to);
    if (bytes[at] === CLOSE_BRACKET) return true;
    if (bytes[at] !== COMMA) return false;
    at = skipBlanks(bytes, at + 1);
  }
}

export function isArray(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_BRACKET;
}

/** The string between these quotes; empty where it is none. */
export function textAt(bytes: Buffer, from: number, to: number): string {
  if (bytes[from] !== QUOTE) return "";
  const text = bytes.toString("utf8", from + 1, to - 1);
  if (!text.includes("\\")) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return "";
  }
}
