import { asObject, parsed } from "./json/value.ts";

const LF = 10;
const MARK = '"usage"';

/**
 * Takes the chunk with the token counts out of a Chat Completions stream whose client did not ask for it. A line that
 * is not whole yet waits: a client could do nothing with it either.
 */
export class UsageChunkFilter {
  #line: Buffer[] = [];

  /** What the client gets of these bytes; may be empty. */
  push(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(LF) + 1;
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
  while (at !== -1) {
    const start = lines.lastIndexOf(LF, at) + 1;
    const lineEnd = lines.indexOf(LF, at);
    let end = lineEnd === -1 ? lines.length : lineEnd + 1;
    if (isUsageOnly(lines.toString("utf8", start, end))) {
      // With the blank line that ends the event, where it is here already; alone it ends nothing.
      if (lines[end] === LF) end += 1;
      parts.push(lines.subarray(from, start));
      from = end;
    }
    at = lines.indexOf(MARK, end);
  }
  return parts.length === 0 ? lines : Buffer.concat([...parts, lines.subarray(from)]);
}

/** `data: {…,"choices":[],"usage":{…}}` */
function isUsageOnly(line: string): boolean {
  if (!line.startsWith("data:")) return false;
  const { choices, usage } = asObject(parsed(line.slice(5))) ?? {};
  return Array.isArray(choices) && choices.length === 0 && typeof usage === "object" && usage !== null;
}
