export type Lines = {
  readonly lines: readonly string[];
  /** Of the bytes that were looked at, how many the lines and their newlines took. */
  readonly bytes: number;
};

/** Up to `max` whole lines from the beginning; what follows the last newline is left. */
export function wholeLines(bytes: Buffer, max: number): Lines {
  const lines: string[] = [];
  let start = 0;
  while (lines.length < max) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break;
    lines.push(bytes.toString("utf8", start, end));
    start = end + 1;
  }
  return { lines, bytes: start };
}
