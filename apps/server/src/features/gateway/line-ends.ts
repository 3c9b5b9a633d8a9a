// Lines of a stream of events end in a CR, an LF or both (HTML, 9.2.6).

export const LF = 10;
export const CR = 13;

export function isLineEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}

/** Behind the last whole line. */
export function endOfLines(chunk: Buffer): number {
  const end = chunk.lastIndexOf(LF) + 1;
  return end === chunk.length ? end : end + chunk.subarray(end).lastIndexOf(CR) + 1;
}

/** Whether a line and an empty one end before `end`. `before`: the byte that came before these; absent: nothing did. */
export function endsInBlankLine(lines: Buffer, end: number, before?: number): boolean {
  const last = end - 1;
  if (!isLineEnd(lines[last])) return false;
  const previous = last === 0 ? before : lines[last - 1];
  const isPair = lines[last] === LF && previous === CR;
  return isLineEnd(isPair ? (last === 1 ? before : lines[last - 2]) : previous);
}

/** Behind the last blank line that ends an event; 0 where there is none. `before`: as with `endsInBlankLine`. */
export function endOfEvents(chunk: Buffer, before: number | undefined): number {
  for (let end = endOfLines(chunk); end > 0; end -= 1) if (endsInBlankLine(chunk, end, before)) return end;
  return 0;
}
