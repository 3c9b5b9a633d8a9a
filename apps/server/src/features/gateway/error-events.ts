import { holdsSign } from "./answer-signs.ts";
import { asObject, parsed } from "./json/value.ts";
import { CR, endOfLines, endsInBlankLine, isLineEnd, LF } from "./line-ends.ts";

const EMPTY = Buffer.alloc(0);
/** Stands in every event that is an error, and now and then elsewhere. */
const ERROR = Buffer.from("error", "latin1");

/** The rest of a line that is longer goes out as it comes. */
const MAX_LINE = 256 * 1024;
/** Lines of an event without a name wait for its end no further than this, in bytes. */
const MAX_DOUBTFUL = 8 * 1024;

const ERROR_NAME = /^event: ?error\s*$/;
const FIELD = /^(?:data|event|id|retry)?:/;
const NAME_LINE = /^event:/m;
const DATA_LINE = /^data:/m;
const BLANK_LINE = /^[\r\n]*$/;

/**
 * Takes secrets out of the errors in a stream of events, and changes nothing else: what a model says is its own. A line
 * that is not whole yet waits, since a client could do nothing with it either; so do lines of data that are no part of an
 * answer by their looks, as the event may still be named.
 */
export class ErrorEventFilter {
  readonly #redact: (text: string) => string;
  /** What waits: `#doubtful` bytes of whole lines, and a line without its end. */
  #line: Buffer[] = [];
  #held = 0;
  #doubtful = 0;
  /** The line that has begun is too long to be looked at. */
  #isLong = false;
  /** Within an event that is an error. */
  #inError = false;
  /** Within an event whose name went out. */
  #isNamed = false;
  /** The last line that went out ended in a CR, to which an LF may belong that comes next. */
  #endedInCr = false;

  constructor(redact: (text: string) => string) {
    this.#redact = redact;
  }

  /** What the client gets of these bytes; may be empty. */
  push(chunk: Buffer): Buffer {
    if (this.#isLong) {
      const [first = EMPTY] = linesOf(chunk, 1);
      if (!isWhole(first)) return chunk;
      this.#isLong = false;
      this.#endedInCr = first.at(-1) === CR;
      return Buffer.concat([first, this.push(chunk.subarray(first.length))]);
    }
    const end = endOfLines(chunk);
    if (end === chunk.length && this.#held === 0 && endsInBlankLine(chunk, end)) {
      this.#isNamed = false;
      return this.#clean(chunk);
    }
    if (end === 0) return this.#hold(chunk);
    const lines = this.#held === 0 ? chunk.subarray(0, end) : Buffer.concat([...this.#take(), chunk.subarray(0, end)]);
    const doubtful = this.#doubtfulIn(lines);
    const known = this.#clean(lines.subarray(0, lines.length - doubtful));
    if (doubtful === 0 && end === chunk.length) return known;
    this.#doubtful = doubtful;
    if (doubtful > 0) this.#hold(lines.subarray(lines.length - doubtful));
    const more = this.#hold(chunk.subarray(end));
    return more.length === 0 ? known : Buffer.concat([known, more]);
  }

  /** What is left of it where nothing more comes. */
  end(): Buffer {
    return this.#clean(Buffer.concat(this.#take()));
  }

  /** Keeps it, or gives back all that was kept where that is too much. */
  #hold(part: Buffer): Buffer {
    this.#line.push(part);
    this.#held += part.length;
    if (this.#held <= MAX_LINE) return EMPTY;
    const doubtful = this.#doubtful;
    const held = Buffer.concat(this.#take());
    this.#isLong = true;
    return Buffer.concat([this.#clean(held.subarray(0, doubtful)), held.subarray(doubtful)]);
  }

  #take(): Buffer[] {
    const line = this.#line;
    this.#line = [];
    this.#held = 0;
    this.#doubtful = 0;
    return line;
  }

  /** How many bytes at the end of these lines wait for a name: of an event that has none yet, and no sign of an answer. */
  #doubtfulIn(lines: Buffer): number {
    const from = this.#startIn(lines);
    const least = Math.max(from, lines.length - MAX_DOUBTFUL);
    let start = lines.length;
    while (start > least && !endsInBlankLine(lines, start)) start -= 1;
    if (start === least && least > from) return 0;
    const isNew = start > least || isLineEnd(lines[start]);
    while (isLineEnd(lines[start])) start += 1;
    const text = lines.toString("latin1", start);
    this.#isNamed = (!isNew && this.#isNamed) || NAME_LINE.test(text);
    const isKnown = this.#isNamed || (!isNew && this.#inError) || !DATA_LINE.test(text) || holdsSign(text);
    return isKnown ? 0 : lines.length - start;
  }

  /** Behind the LF that belongs to what went out before. */
  #startIn(lines: Buffer): number {
    return this.#endedInCr && lines[0] === LF ? 1 : 0;
  }

  #clean(lines: Buffer): Buffer {
    if (lines.length === 0) return lines;
    const from = this.#startIn(lines);
    this.#endedInCr = lines.at(-1) === CR;
    if (!this.#inError && !lines.includes(ERROR)) return lines;
    const parts = linesOf(lines.subarray(from));
    let isChanged = false;
    const redact = (index: number): void => {
      const text = parts[index]?.toString("utf8") ?? "";
      const clean = this.#redact(text);
      if (clean === text) return;
      parts[index] = Buffer.from(clean, "utf8");
      isChanged = true;
    };
    let begin = 0;
    for (const [index, line] of parts.entries()) {
      const text = line.toString("utf8");
      if (isBlank(line)) begin = index + 1;
      if (!this.#isOfError(text)) continue;
      // What says that it is one may stand behind other lines of it.
      for (; begin <= index; begin += 1) redact(begin);
    }
    return isChanged ? Buffer.concat([lines.subarray(0, from), ...parts]) : lines;
  }

  #isOfError(line: string): boolean {
    if (BLANK_LINE.test(line)) this.#inError = false;
    else if (ERROR_NAME.test(line)) this.#inError = true;
    else if (!this.#inError && line.includes('"error"')) {
      const value = parsed(line.slice(line.indexOf("{")));
      // What has no end in this line may go on in the next, and what is no field is for people.
      if (value === undefined || !FIELD.test(line)) this.#inError = true;
      else return isError(value);
    }
    return this.#inError;
  }
}

/** These lines, each with its end: a CR, an LF or both. The last may have none. `most`: no more than so many. */
function linesOf(bytes: Buffer, most = Number.POSITIVE_INFINITY): Buffer[] {
  const lines: Buffer[] = [];
  let lf = bytes.indexOf(LF);
  for (let start = 0; start < bytes.length && lines.length < most; ) {
    if (lf !== -1 && lf < start) lf = bytes.indexOf(LF, start);
    const cr = bytes.subarray(start, lf === -1 ? bytes.length : lf).indexOf(CR);
    const last = cr === -1 ? lf : start + cr;
    const isPair = cr !== -1 && last + 1 === lf;
    const end = last === -1 ? bytes.length : last + (isPair ? 2 : 1);
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

function isWhole(line: Buffer): boolean {
  return isLineEnd(line.at(-1));
}

function isBlank(line: Buffer): boolean {
  return isLineEnd(line[0]);
}

/** In any dialect, and as those say it who stand in front of several: in the only choice. */
function isError(value: unknown): boolean {
  const { type, object, error, response, choices } = asObject(value) ?? {};
  if (type === "error" || object === "error" || type === "response.failed" || says(error)) return true;
  return says(asObject(response)?.error) || (Array.isArray(choices) && choices.some(isBroken));
}

function isBroken(choice: unknown): boolean {
  const { error, finish_reason } = asObject(choice) ?? {};
  return says(error) || finish_reason === "error";
}

/** Some servers say `"error":null` when all is well. */
function says(error: unknown): boolean {
  return error !== undefined && error !== null;
}
