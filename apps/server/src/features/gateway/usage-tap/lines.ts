import { CR, LF } from "../line-ends.ts";

export const OPEN_BRACE = 0x7b;

/** Of the line that stands at `from`; its newline is not in it. */
export function endOfLine(lines: Buffer, from: number): number {
  const end = lines.indexOf(LF, from);
  return end === -1 ? lines.length : end;
}

/** `…}` or `[DONE]` */
export function endsLikeData(line: Buffer): boolean {
  const last = line.at(-1);
  return last === 0x7d || last === 0x5d;
}

/** These lines with an LF where there was a CR alone; the same buffer where there was none. */
export function withLineFeeds(lines: Buffer): Buffer {
  let changed: Buffer | undefined;
  for (let at = lines.indexOf(CR); at !== -1; at = lines.indexOf(CR, at + 1)) {
    if (lines[at + 1] === LF) continue;
    changed ??= Buffer.from(lines);
    changed[at] = LF;
  }
  return changed ?? lines;
}

/** Whether `:null` comes at `at`, with or without a blank. */
export function isNull(lines: Buffer, at: number): boolean {
  const value = lines[at + 1] === 0x20 ? at + 2 : at + 1;
  return lines[value] === 0x6e;
}
