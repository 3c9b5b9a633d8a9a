const LF = 10;
const CR = 13;
const EMPTY = Buffer.alloc(0);
/** Stands in every event that is an error, and now and then elsewhere. */
const ERROR = Buffer.from("error", "latin1");

/** The rest of a line that is longer goes out as it comes. */
const MAX_LINE = 256 * 1024;

const ERROR_NAME = /^event: ?error\s*$/;
const FIELD = /^(?:data|event|id|retry)?:/;

/**
 * Takes secrets out of the errors in a stream of events, and changes nothing else: what a model says is its own. A line
 * that is not whole yet waits, since a client could do nothing with it either.
 */
export class ErrorEventFilter {
  readonly #redact: (text: string) => string;
  #line: Buffer[] = [];
  #held = 0;
  /** The line that has begun is too long to be looked at. */
  #isLong = false;
  /** Within an event that is an error. */
  #inError = false;
  /** The last line that went out ended in a CR, to which an LF may belong that comes next. */
  #endedInCr = false;

  constructor(redact: (text: string) => string) {
    this.#redact = redact;
  }

  /** What the client gets of these bytes; may be empty. */
  push(chunk: Buffer): Buffer {
    const end = endOfLines(chunk);
    if (this.#isLong) {
      if (end === 0) return chunk;
      this.#isLong = false;
      const first = chunk.indexOf(LF) + 1 || end;
      return Buffer.concat([chunk.subarray(0, first), this.push(chunk.subarray(first))]);
    }
    if (end === chunk.length && this.#held === 0) return this.#clean(chunk);
    const lines = end === 0 ? EMPTY : this.#clean(Buffer.concat([...this.#take(), chunk.subarray(0, end)]));
    this.#line.push(chunk.subarray(end));
    this.#held += chunk.length - end;
    if (this.#held <= MAX_LINE) return lines;
    this.#isLong = true;
    return Buffer.concat([lines, ...this.#take()]);
  }

  /** What is left of it where nothing more comes. */
  end(): Buffer {
    return this.#clean(Buffer.concat(this.#take()));
  }

  #take(): Buffer[] {
    const line = this.#line;
    this.#line = [];
    this.#held = 0;
    return line;
  }

  #clean(lines: Buffer): Buffer {
    if (lines.length === 0) return lines;
    const from = this.#endedInCr && lines[0] === LF ? 1 : 0;
    this.#endedInCr = lines.at(-1) === CR;
    if (!this.#inError && !lines.includes(ERROR)) return lines;
    const parts: Buffer[] = [lines.subarray(0, from)];
    let isChanged = false;
    for (let start = from; start < lines.length; ) {
      const end = lines.indexOf(LF, start) + 1 || lines.length;
      const line = lines.subarray(start, end);
      const text = line.toString("utf8");
      const clean = this.#isOfError(text) ? this.#redact(text) : text;
      isChanged ||= clean !== text;
      parts.push(clean === text ? line : Buffer.from(clean, "utf8"));
      start = end;
    }
    return isChanged ? Buffer.concat(parts) : lines;
  }

  #isOfError(line: string): boolean {
    if (line.trim() === "") this.#inError = false;
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

/** Behind the last whole line. Without any LF, a CR ends one, too. */
function endOfLines(chunk: Buffer): number {
  const end = chunk.lastIndexOf(LF) + 1;
  return end === 0 && chunk.at(-1) === CR ? chunk.length : end;
}

/** In any dialect, and as those say it who stand in front of several: in the only choice. */
function isError(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { type, object, error, response, choices } = value;
  if (type === "error" || object === "error" || type === "response.failed" || says(error)) return true;
  if (isObject(response) && says(response.error)) return true;
  return (
    Array.isArray(choices) &&
    choices.some((each) => isObject(each) && (says(each.error) || each.finish_reason === "error"))
  );
}

/** Some servers say `"error":null` when all is well. */
function says(error: unknown): boolean {
  return error !== undefined && error !== null;
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
