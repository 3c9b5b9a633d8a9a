import { parsed } from "../json/value.ts";
import { holdsContent, saysWhyItStops } from "./event-content.ts";
import { endOfLine, endsLikeData, LF, OPEN_BRACE } from "./lines.ts";
import { Counts } from "./tap-counts.ts";
import { MARKS, type Marks, mark, type TapKind, textIn } from "./tap-marks.ts";
import { MAX_ERROR, type TapReading, type UsageTap } from "./tap-reading.ts";

const ALL_COUNTED = 16;
const ONE_COUNTED_OF = 16;

/** A line that is longer is not looked at. */
const MAX_LINE = 8 * 1024 * 1024;

/** Looks only at the lines that hold token counts; the others are searched and not read. */
export class StreamTap implements UsageTap {
  readonly #marks: Marks;
  readonly #seal: Buffer;
  readonly #counts: Counts;
  /** The line whose end has not come yet. */
  #line: Buffer[] | undefined;
  #lineLength = 0;
  #last: Buffer | undefined;
  #beforeLast: Buffer | undefined;
  #bytes = 0;
  #scans = 0;
  #sampledBytes = 0;
  #sampledText = 0;
  #hasText = false;
  /** Whether the model wrote anything at all, as far as one can tell without reading all of it. */
  #hasContent = false;
  #stopped = false;
  #countedAtStop = false;
  /** There was more behind a reason to stop: some give one with every event, and it means nothing. */
  #goesOn = false;

  constructor(dialect: TapKind) {
    this.#marks = MARKS[dialect];
    this.#seal = mark(this.#marks.ends[0]);
    this.#counts = new Counts(dialect);
  }

  push(chunk: Buffer): void {
    const end = chunk.lastIndexOf(LF) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return;
    }
    let lines = end === chunk.length ? chunk : chunk.subarray(0, end);
    if (this.#line !== undefined) {
      lines = Buffer.concat([...this.#line, lines]);
      this.#line = undefined;
      this.#lineLength = 0;
    }
    this.#scan(lines);
    if (end < chunk.length) this.#keep(chunk.subarray(end));
  }

  isSealed(): boolean {
    if (this.#marks.byLine !== true) this.#takeRest();
    if (this.#marks.hasNoMark === true) return this.#stopped && !this.#goesOn;
    const seal = this.#seal;
    return this.#last?.includes(seal) === true || this.#beforeLast?.includes(seal) === true;
  }

  isFinished(): boolean {
    return this.#stopped && this.#countedAtStop && !this.#goesOn && this.#counts.hasCounts && !this.#isStale;
  }

  /** Whether the counts are from before the answer. */
  get #isStale(): boolean {
    return this.#hasContent && this.#counts.outputTokens === 0;
  }

  read(): TapReading {
    this.#takeRest();
    const tail = Buffer.concat([this.#beforeLast ?? EMPTY, this.#last ?? EMPTY]);
    const complete = this.#counts.ended || this.isFinished() || this.#marks.ends.some((mark) => tail.includes(mark));
    const failed = tail.includes('"error"') && !tail.includes('"error":null');
    const final = complete && !this.#isStale;
    const reading = { ...this.#counts.reading(), complete, final, failed, textBytes: this.#textBytes };
    return failed ? { ...reading, lastEvents: tail.toString("utf8", Math.max(0, tail.length - MAX_ERROR)) } : reading;
  }

  /** A last line without its end counts if it is whole. */
  #takeRest(): void {
    const rest = this.#line === undefined ? EMPTY : Buffer.concat(this.#line);
    if (!isWholeLine(rest)) return;
    this.#line = undefined;
    this.#lineLength = 0;
    this.#scan(rest);
  }

  #keep(part: Buffer): void {
    this.#lineLength += part.length;
    if (this.#lineLength > MAX_LINE) this.#line = [];
    else if (this.#line === undefined) this.#line = [part];
    else this.#line.push(part);
  }

  #scan(lines: Buffer): void {
    const { usage } = this.#marks;
    this.#beforeLast = this.#last;
    this.#last = lines;
    this.#bytes += lines.length;
    this.#scans += 1;
    let counted = -1;
    let at = lines.indexOf(usage);
    while (at !== -1) {
      const end = endOfLine(lines, at);
      // Some servers say `"usage":null` in every line but one.
      if (!isNull(lines, at + usage.length)) {
        counted = lines.lastIndexOf(LF, at) + 1;
        this.#counts.readLine(lines, counted, end);
      }
      at = lines.indexOf(usage, end);
    }
    if (this.#marks.stops !== undefined && !this.#goesOn) this.#watchStop(lines, this.#marks.stops, counted);
    this.#hasContent ||= this.#holdsContent(lines, 0);
    // How much of it is text is needed for an estimate only: after a while, some are counted for all.
    this.#hasText ||= lines.includes(this.#marks.text);
    if (this.#scans > ALL_COUNTED && this.#scans % ONE_COUNTED_OF !== 0) return;
    this.#sampledBytes += lines.length;
    this.#sampledText += textIn(lines, this.#marks);
  }

  /** `counted`: where the last line with counts begins, or -1. */
  #watchStop(lines: Buffer, stops: readonly Buffer[], counted: number): void {
    let behind = 0;
    if (this.#stopped) this.#countedAtStop ||= counted !== -1;
    else {
      const start = startOfStop(lines, stops);
      if (start === -1) return;
      this.#stopped = true;
      this.#countedAtStop = counted >= start;
      behind = endOfLine(lines, start);
    }
    this.#goesOn = this.#holdsContent(lines, behind);
  }

  #holdsContent(lines: Buffer, from: number): boolean {
    const { content } = this.#marks;
    return content !== undefined && startOfEvent(lines, { mark: content, from, says: holdsContent }) !== -1;
  }

  get #textBytes(): number {
    if (!this.#hasText) return 0;
    return Math.max(1, Math.round((this.#sampledText * this.#bytes) / this.#sampledBytes));
  }
}

/** Where the first event begins that says why the answer stops, or -1: in a call, the mark may be a word of the model's. */
function startOfStop(lines: Buffer, marks: readonly Buffer[]): number {
  let first = -1;
  for (const mark of marks) {
    // In most chunks there is none, and for those nothing is to be made.
    if (!lines.includes(mark)) continue;
    const start = startOfEvent(lines, { mark, from: 0, says: saysWhyItStops });
    if (start !== -1 && (first === -1 || start < first)) first = start;
  }
  return first;
}

/** Where the line with the first such event begins, or -1. */
function startOfEvent(lines: Buffer, { mark, from, says }: EventSearch): number {
  for (let at = lines.indexOf(mark, from); at !== -1; ) {
    const start = lines.lastIndexOf(LF, at) + 1;
    const end = endOfLine(lines, at);
    const open = lines.indexOf(OPEN_BRACE, start);
    if (open !== -1 && open < at && says(parsed(lines.toString("utf8", open, end)))) return start;
    at = lines.indexOf(mark, end);
  }
  return -1;
}

type EventSearch = { readonly mark: Buffer; readonly from: number; says(event: unknown): boolean };

const EMPTY = Buffer.alloc(0);

/** Whether a line of data is all there, though not its end: one that was cut may end like a whole one. */
function isWholeLine(line: Buffer): boolean {
  if (!endsLikeData(line)) return false;
  const text = line.toString("utf8");
  return text.endsWith("[DONE]") || parsed(text.slice(Math.max(0, text.indexOf("{")))) !== undefined;
}

/** Whether `:null` comes at `at`, with or without a blank. */
function isNull(lines: Buffer, at: number): boolean {
  const value = lines[at + 1] === 0x20 ? at + 2 : at + 1;
  return lines[value] === 0x6e;
}
