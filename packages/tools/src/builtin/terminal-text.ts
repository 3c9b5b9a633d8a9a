const ESCAPE = String.fromCharCode(0x1b);
const BELL = String.fromCharCode(0x07);
/** One-character forms of `ESC [` and `ESC \\`. */
const CONTROL_SEQUENCE = String.fromCharCode(0x9b);
const STRING_END = String.fromCharCode(0x9c);

/** Escape sequences of ECMA-48: control strings (ended by BEL or ST), CSI, and the short ones. */
const ESCAPE_SEQUENCE = new RegExp(
  [
    `${ESCAPE}[\\]PX^_][^${BELL}${ESCAPE}${STRING_END}]*(?:${BELL}|${ESCAPE}\\\\|${STRING_END})`,
    `(?:${ESCAPE}\\[|${CONTROL_SEQUENCE})[0-?]*[ -/]*[@-~]`,
    `${ESCAPE}[ -/]*[0-~]`,
  ].join("|"),
  "gu",
);

/** Everything on a line before its last carriage return: it was written over. */
const OVERWRITTEN = /^[^\n]*\r(?=[^\r\n])/gmu;

/** A run of what is no text: control characters but tab and line feed, and bytes that were not UTF-8. */
const NOT_TEXT = /(?:[^\P{Cc}\t\n]|\ufffd)+/gu;

/**
 * The output of a program as a terminal would have left it: no escape sequences, of a progress line only its last
 * state, and U+FFFD for each run of bytes that are no text. Never more than 3 times the bytes.
 */
export function terminalText(bytes: Uint8Array): string {
  const text = new TextDecoder()
    .decode(bytes)
    .replace(ESCAPE_SEQUENCE, "")
    .replace(/\r+(?=\n|$)/gu, "");
  return text.replace(OVERWRITTEN, "").replace(NOT_TEXT, "\ufffd");
}

/** `bytes` without the parts of characters that a cut has left at its start or end. */
export function wholeCharacters(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < 3 && isContinuation(bytes[start])) start += 1;
  let end = bytes.length;
  let last = end - 1;
  while (last >= end - 3 && isContinuation(bytes[last])) last -= 1;
  const length = sequenceLength(bytes[last]);
  if (length > 1 && last + length > end) end = last;
  return bytes.subarray(start, Math.max(start, end));
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000;
}

function sequenceLength(byte: number | undefined): number {
  if (byte === undefined || byte < 0b1100_0000) return 1;
  if (byte < 0b1110_0000) return 2;
  return byte < 0b1111_0000 ? 3 : 4;
}
