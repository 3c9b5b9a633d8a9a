export const LF = 10;
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
