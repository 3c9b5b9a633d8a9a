/** Longest part of a line that is shown, in bytes. */
const MAX_MATCH_BYTES = 300;
/** How much of it stands before the match, where the line is longer. */
const BEFORE_MATCH_BYTES = 100;

const CONTINUATION_MASK = 0b1100_0000;
const CONTINUATION = 0b1000_0000;

/** The line without its line break; of a long one the part around `column` (a byte), with `…` where it was cut. */
export function matchText(line: Uint8Array, column: number): string {
  let end = line.length;
  if (line[end - 1] === 0x0a) end -= 1;
  if (line[end - 1] === 0x0d) end -= 1;
  if (end <= MAX_MATCH_BYTES) return decodeText(line.subarray(0, end));
  const from = characterStart(line, Math.max(0, Math.min(column - BEFORE_MATCH_BYTES, end - MAX_MATCH_BYTES)));
  const to = from + MAX_MATCH_BYTES >= end ? end : characterStart(line, from + MAX_MATCH_BYTES);
  return `${from > 0 ? "…" : ""}${decodeText(line.subarray(from, to))}${to < end ? "…" : ""}`;
}

function decodeText(bytes: Uint8Array): string {
  // Not even a tab-less terminal should be steered by a line of a file.
  return new TextDecoder("utf-8", { ignoreBOM: false }).decode(bytes).replace(/[^\P{Cc}\t]+/gu, "\ufffd");
}

function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > 0 && ((bytes[start] ?? 0) & CONTINUATION_MASK) === CONTINUATION) start -= 1;
  return start;
}
