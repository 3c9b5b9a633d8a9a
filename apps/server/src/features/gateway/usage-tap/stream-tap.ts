import { CR, endOfEvents, endOfLines, isLineEnd, LF } from "../line-ends.ts";
import { holdsContent, saysWhyItStops } from "./event-content.ts";
import { eventAt, type FoundEvent, holdsPart, isWholeEvent } from "./events.ts";
import { endOfLine, isNull, withLineFeeds } from "./lines.ts";
import { Counts } from "./tap-counts.ts";
import { MARKS, type Marks, mark, type TapKind, textIn } from "./tap-marks.ts";
import { MAX_ERROR, type TapReading, type UsageTap } from "./tap-reading.ts";

const ALL_COUNTED = 16;
const ONE_COUNTED_OF = 16;

/** A line, or an event in several of them, that is longer is not looked at. */
const MAX_HELD = 8 * 1024 * 1024;

/** Looks only at the lines that hold token counts; the others are searched and not read. */
export class StreamTap implements UsageTap {
  readonly #marks: Marks;
  readonly #seal: Buffer;
  readonly #counts: Counts;
  /** The line whose end has not come yet, or all that has come of an event. */
  #held: Buffer[] | undefined;
  #heldLength = 0;
  #lastHeld: number | undefined;
  /** The data of the event that is held comes in several lines: only the blank line behind it is its end. */
  #inParts = false;
  /** Lines may end in a CR alone. */
  #hasCr = false;
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
    const { length } = chunk;
    // As it mostly is: whole events, in lines that end in an LF.
    if (chunk[length - 1] === LF && chunk[length - 2] === LF) {
      this.#take(chunk);
      return;
    }
    this.#hasCr ||= chunk.includes(CR);
    const end = endOfEvents(chunk, this.#lastHeld);
    if (end > 0) this.#take(chunk.subarray(0, end));
    if (end < length) this.#begin(chunk.subarray(end));
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

  /** A last event without its end counts if it is whole. */
  #takeRest(): void {
    if (this.#held !== undefined && isWholeEvent(this.#normal(Buffer.concat(this.#held)))) this.#take(EMPTY);
  }

  /** With the end of what was held. */
  #take(lines: Buffer): void {
    const held = this.#held;
    this.#held = undefined;
    this.#heldLength = 0;
    this.#lastHeld = undefined;
    this.#inParts = false;
    this.#scan(this.#normal(held === undefined ? lines : Buffer.concat([...held, lines])));
  }

  /** Of an event whose end has not come yet. Its whole lines need not wait for that, but where its data is in several. */
  #begin(part: Buffer): void {
    const end = this.#inParts ? 0 : endOfLines(part);
    if (end === 0) {
      this.#keep(part);
      return;
    }
    const lines = part.subarray(0, end);
    this.#inParts = holdsPart(this.#normal(Buffer.concat([...(this.#held ?? []), lines])));
    if (this.#inParts) {
      this.#keep(part);
      return;
    }
    this.#take(lines);
    if (end < part.length) this.#keep(part.subarray(end));
  }

  #keep(part: Buffer): void {
    this.#lastHeld = part.at(-1);
    this.#heldLength += part.length;
    if (this.#heldLength > MAX_HELD) this.#held = [];
    else if (this.#held === undefined) this.#held = [part];
    else this.#held.push(part);
  }

  /** In lines that end in an LF. */
  #normal(lines: Buffer): Buffer {
    return this.#hasCr ? withLineFeeds(lines) : lines;
  }

  #scan(lines: Buffer): void {
    const { usage } = this.#marks;
    // The ends of lines alone say nothing, and would take the place of what does.
    if (lines.every((byte) => isLineEnd(byte))) return;
    this.#beforeLast = this.#last;
    this.#last = lines;
    this.#bytes += lines.length;
    this.#scans += 1;
    let counted = -1;
    let at = lines.indexOf(usage);
    while (at !== -1) {
      let end = endOfLine(lines, at);
      // Some servers say `"usage":null` in every line but one.
      if (!isNull(lines, at + usage.length)) {
        const event = eventAt(lines, at);
        counted = event.start;
        end = event.end;
        this.#counts.readEvent(event.value);
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

  /** `counted`: where the last event with counts begins, or -1. */
  #watchStop(lines: Buffer, stops: readonly Buffer[], counted: number): void {
    let behind = 0;
    if (this.#stopped) this.#countedAtStop ||= counted !== -1;
    else {
      const stop = firstStop(lines, stops);
      if (stop === undefined) return;
      this.#stopped = true;
      this.#countedAtStop = counted >= stop.start;
      behind = stop.end;
    }
    this.#goesOn = this.#holdsContent(lines, behind);
  }

  #holdsContent(lines: Buffer, from: number): boolean {
    const { content } = this.#marks;
    return content !== undefined && firstEvent(lines, { mark: content, from, says: holdsContent }) !== undefined;
  }

  get #textBytes(): number {
    if (!this.#hasText) return 0;
    return Math.max(1, Math.round((this.#sampledText * this.#bytes) / this.#sampledBytes));
  }
}

/** The first event that says why the answer stops: in a call, the mark may be a word of the model's. */
function firstStop(lines: Buffer, marks: readonly Buffer[]): FoundEvent | undefined {
  let first: FoundEvent | undefined;
  for (const mark of marks) {
    // In most chunks there is none, and for those nothing is to be made.
    if (!lines.includes(mark)) continue;
    const found = firstEvent(lines, { mark, from: 0, says: saysWhyItStops });
    if (found !== undefined && (first === undefined || found.start < first.start)) first = found;
  }
  return first;
}

function firstEvent(lines: Buffer, { mark, from, says }: EventSearch): FoundEvent | undefined {
  for (let at = lines.indexOf(mark, from); at !== -1; ) {
    const found = eventAt(lines, at);
    if (says(found.value)) return found;
    at = lines.indexOf(mark, found.end);
  }
  return undefined;
}

type EventSearch = { readonly mark: Buffer; readonly from: number; says(event: unknown): boolean };

const EMPTY = Buffer.alloc(0);
