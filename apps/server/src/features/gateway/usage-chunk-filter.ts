import { asObject, parsed } from "./json/value.ts";
import { CR, endOfLines, isLineEnd, LF } from "./line-ends.ts";
import { isNull } from "./usage-tap/lines.ts";

const MARK = Buffer.from('"usage"', "latin1");

/**
 * Takes the chunk with the token counts out of a Chat Completions stream whose client did not ask for it. A line that
 * is not whole yet waits: a client could do nothing with it either.
 */
export class UsageChunkFilter {
  #line: Buffer[] = [];

  /** What the client gets of these bytes; may be empty. */
  push(chunk: Buffer): Buffer {
    const end = endOfLines(chunk);
    if (end === 0) {
      this.#line.push(chunk);
      return EMPTY;
    }
    const whole = chunk.subarray(0, end);
    const lines = this.#line.length === 0 ? whole : Buffer.concat([...this.#line, whole]);
    this.#line = end === chunk.length ? [] : [chunk.subarray(end)];
    return withoutUsage(lines);
  }

  end(): Buffer {
    return withoutUsage(Buffer.concat(this.#line));
  }
}

const EMPTY = Buffer.alloc(0);

function withoutUsage(lines: Buffer): Buffer {
  let at = lines.indexOf(MARK);
  if (at === -1) return lines;
  const parts: Buffer[] = [];
  let from = 0;
  // Each is searched for in what was not searched before, so that no part of these lines is twice.
  let seen = 0;
  let lf = -1;
  while (at !== -1) {
    // Some servers say `"usage":null` in every line but one.
    if (isNull(lines, at + MARK.length)) {
      at = lines.indexOf(MARK, at + MARK.length);
      continue;
    }
    if (lf < at) lf = indexOrEnd(lines, LF, at);
    const cr = lines.subarray(at, lf).indexOf(CR);
    const start = seen + endOfLines(lines.subarray(seen, at));
    let end = behindLineEnd(lines, cr === -1 ? lf : at + cr);
    if (isUsageOnly(lines.toString("utf8", start, end))) {
      // With the blank line that ends the event, where it is here already; alone it ends nothing.
      if (isLineEnd(lines[end])) end = behindLineEnd(lines, end);
      parts.push(lines.subarray(from, start));
      from = end;
    }
    seen = end;
    at = lines.indexOf(MARK, end);
  }
  return parts.length === 0 ? lines : Buffer.concat([...parts, lines.subarray(from)]);
}

function indexOrEnd(lines: Buffer, byte: number, from: number): number {
  const index = lines.indexOf(byte, from);
  return index === -1 ? lines.length : index;
}

/** Behind the line end that begins at `at`. */
function behindLineEnd(lines: Buffer, at: number): number {
  return Math.min(lines.length, lines[at] === CR && lines[at + 1] === LF ? at + 2 : at + 1);
}

/** `data: {…,"choices":[],"usage":{…}}` */
function isUsageOnly(line: string): boolean {
  if (!line.startsWith("data:")) return false;
  const { choices, usage } = asObject(parsed(line.slice(5))) ?? {};
  return Array.isArray(choices) && choices.length === 0 && typeof usage === "object" && usage !== null;
}
