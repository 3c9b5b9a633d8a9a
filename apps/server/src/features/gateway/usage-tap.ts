import type { JsonObject, Usage } from "@loom/core";
import { type UsageReader, usageReader } from "@loom/llm";
import { isForeignDocument } from "./answer-signs.ts";
import { isCounted } from "./answered.ts";
import { holdsContent, saysWhyItStops } from "./event-content.ts";
import { memberValue, scanJsonObject } from "./json-members.ts";
import { endOfLargeValue } from "./json-skip.ts";
import type { WireDialect } from "./target.ts";

/** What was seen of an answer while its bytes went by. */
export type TapReading = {
  readonly usage: Usage;
  /** Whether the provider itself said what the answer used. */
  readonly counted: boolean;
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined;
  /** Whether the answer came to its own end. */
  readonly complete: boolean;
  /** Whether the counts are those of a whole answer: in a stream, no text stands beside a count of none. */
  readonly final: boolean;
  /** Whether the last that the provider said is that it failed. */
  readonly failed: boolean;
  /** The last events of a stream, or the last item of a list, as text, where they may be the provider's word that it failed. */
  readonly lastEvents?: string;
  /** A document that is an error and may be nothing else, as text. */
  readonly error?: string;
  /** A whole document in which nothing says that it is an answer. */
  readonly foreign?: true;
  /** About how much text was in it, in bytes; for an estimate where nothing was counted. */
  readonly textBytes: number;
};

/** Watches the bytes of an answer on their way; changes nothing and never throws. */
export type UsageTap = {
  push(chunk: Buffer): void;
  /** Whether the very last of it is there, and not only what ends the text. */
  isSealed(): boolean;
  /**
   * Whether it was said why the answer stops, and with that or behind it what it used: nothing of it is missing but a mark.
   * Never of a stream in which the model went on behind such a reason.
   */
  isFinished(): boolean;
  read(): TapReading;
};

type Marks = {
  /** Stands in every line with token counts. */
  readonly usage: Buffer;
  /** Stands in every line with text; the rest of the line, less `envelope` bytes, is about the text. */
  readonly text: Buffer;
  /** Absent: much else stands in the line, so the string behind the mark is measured. */
  readonly envelope?: number;
  /** Stands in every event with content of the model's; absent: nobody looks whether there was any. */
  readonly content?: Buffer;
  /** One of them stands in the last lines with data of a whole answer; the first where nothing at all comes after. */
  readonly ends: readonly [string, ...string[]];
  /** What stands in the line with it is needed, too: nothing is the last before that line has its end. */
  readonly byLine?: boolean;
  /** One of them stands in the event that says why the answer stops; absent: with that, it is sealed. */
  readonly stops?: readonly [Buffer, ...Buffer[]];
  /** Nothing comes behind that event but, now and then, counts. */
  readonly hasNoMark?: boolean;
};

/** As bytes: a text would be turned into them for each search. */
const mark = (text: string): Buffer => Buffer.from(text, "latin1");

/** In whose words an answer says what it used; `work` and `pictures`: of other work with models than conversations. */
export type TapKind = WireDialect | "work" | "pictures";

const MARKS: Readonly<Record<TapKind, Marks>> = {
  anthropic: {
    usage: mark('"usage"'),
    text: mark('_delta"'),
    envelope: 62,
    content: mark('_block_delta"'),
    ends: ['"message_stop"'],
  },
  chat: {
    usage: mark('"usage"'),
    text: mark('"delta"'),
    envelope: 72,
    content: mark('"delta"'),
    ends: ["[DONE]", '"finish_reason":"', '"finish_reason": "'],
    stops: [mark('"finish_reason":"'), mark('"finish_reason": "')],
  },
  responses: {
    usage: mark('"usage"'),
    text: mark('.delta"'),
    envelope: 140,
    content: mark('.delta"'),
    // With its quotes, it stands in no line that only names the event.
    ends: ['"response.completed"', '"response.incomplete"', '"response.failed"'],
    byLine: true,
  },
  gemini: {
    usage: mark('"usageMetadata"'),
    text: mark('"text"'),
    content: mark('"parts"'),
    ends: ['"finishReason"', '"blockReason"'],
    stops: [mark('"finishReason"'), mark('"blockReason"')],
    hasNoMark: true,
  },
  work: {
    usage: mark('"usage"'),
    text: mark('"text"'),
    ends: ["[DONE]", '.completed"', '.done"', '"finish_reason":"', '"finish_reason": "'],
  },
  pictures: { usage: mark('"usage"'), text: mark('"b64_json"'), ends: ["[DONE]", '.completed"'] },
};

const LF = 10;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const ALL_COUNTED = 16;
const ONE_COUNTED_OF = 16;

/** A line that is longer is not looked at. */
const MAX_LINE = 8 * 1024 * 1024;
/** Of a document that is longer only the end is looked at. */
const MAX_DOCUMENT = 8 * 1024 * 1024;
const MAX_TAIL = 64 * 1024;
/** A longer one is an answer, whatever it holds. */
const MAX_ERROR = 256 * 1024;

export function createUsageTap(dialect: TapKind, { eventStream }: { readonly eventStream: boolean }): UsageTap {
  return eventStream ? new StreamTap(dialect) : new DocumentTap(dialect);
}

/** Looks only at the lines that hold token counts; the others are searched and not read. */
class StreamTap implements UsageTap {
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

/** About how many bytes of text these lines hold. */
function textIn(lines: Buffer, { text, envelope }: Marks): number {
  let sum = 0;
  for (let at = lines.indexOf(text); at !== -1; ) {
    const end = envelope === undefined ? endOfString(lines, at + text.length) : endOfLine(lines, at);
    sum += Math.max(1, end - at - (envelope ?? text.length + 2));
    at = lines.indexOf(text, end);
  }
  return sum;
}

/** Where the JSON string that begins behind `from` has its closing quote. */
function endOfString(lines: Buffer, from: number): number {
  const open = lines.indexOf(QUOTE, from);
  let quote = open === -1 ? -1 : lines.indexOf(QUOTE, open + 1);
  while (quote !== -1) {
    let start = quote;
    while (lines[start - 1] === BACKSLASH) start -= 1;
    if ((quote - start) % 2 === 0) return quote;
    quote = lines.indexOf(QUOTE, quote + 1);
  }
  return lines.length;
}

/**
 * Keeps the whole document, because it has to be read from both ends, and reads it once. Of one that is too large, as those
 * with pictures are, the end says whether it was cut and, mostly, what it used.
 */
class DocumentTap implements UsageTap {
  readonly #marks: Marks;
  readonly #counts: Counts;
  readonly #mayBeEmpty: boolean;
  #parts: Buffer[] = [];
  #length = 0;
  #kept = 0;

  constructor(dialect: TapKind) {
    this.#mayBeEmpty = dialect === "gemini";
    this.#marks = MARKS[dialect];
    this.#counts = new Counts(dialect);
  }

  push(chunk: Buffer): void {
    this.#length += chunk.length;
    this.#kept += chunk.length;
    this.#parts.push(chunk);
    if (this.#length <= MAX_DOCUMENT) return;
    let dropped = 0;
    for (const part of this.#parts) {
      if (this.#kept - part.length < MAX_TAIL) break;
      this.#kept -= part.length;
      dropped += 1;
    }
    this.#parts.splice(0, dropped);
  }

  isSealed(): boolean {
    return false;
  }

  isFinished(): boolean {
    return false;
  }

  read(): TapReading {
    const parts = this.#parts;
    const [first] = parts;
    const bytes = first !== undefined && parts.length === 1 ? first : Buffer.concat(parts);
    const { usage, envelope } = this.#marks;
    const isAll = this.#length <= MAX_DOCUMENT;
    const complete = isAll ? this.#counts.readDocument(bytes) : this.#counts.readTail(bytes, usage);
    const isError = this.#counts.isError && bytes.length <= MAX_ERROR;
    // A list of answers that was cut holds more of other things than of text.
    const textBytes = envelope === undefined && isAll ? textIn(bytes, this.#marks) : this.#length;
    const reading = { ...this.#counts.reading(), complete, final: complete, failed: false, textBytes };
    if (isError) return { ...reading, error: bytes.toString("utf8") };
    const { lastError } = this.#counts;
    if (lastError !== undefined) return { ...reading, failed: true, lastEvents: `[${JSON.stringify(lastError)}]` };
    const isSmall = complete && bytes.length <= MAX_ERROR;
    const mayBeEmpty = this.#mayBeEmpty;
    const foreign = isSmall && !this.#counts.hasSigns && isForeignDocument(bytes.toString("utf8"), { mayBeEmpty });
    return foreign ? { ...reading, foreign } : reading;
  }
}

/** Token counts and the model's name, from the places where the dialects have them. */
class Counts {
  readonly #reader: UsageReader;
  #counted = false;
  #model: string | undefined;
  /** An event that ends the answer held the counts. */
  ended = false;
  /** What was read says that it is an error. */
  isError = false;
  /** The last item of a list of several that says that it is one. */
  lastError: unknown;

  constructor(dialect: TapKind) {
    this.#reader = usageReader(dialect === "work" || dialect === "pictures" ? "openai" : dialect);
  }

  get hasCounts(): boolean {
    return this.#counted && isCounted(this.#reader.usage);
  }

  get outputTokens(): number {
    return this.#reader.usage.outputTokens;
  }

  /** Whether a model or token counts were there, which stand in answers only. */
  get hasSigns(): boolean {
    return this.#counted || this.#model !== undefined;
  }

  reading(): Pick<TapReading, "usage" | "counted" | "model"> {
    return { usage: this.#reader.usage, counted: this.#counted, model: this.#model };
  }

  readLine(lines: Buffer, start: number, end: number): void {
    const open = lines.indexOf(OPEN_BRACE, start);
    if (open === -1 || open >= end) return;
    this.#readEvent(parsed(lines.toString("utf8", open, end)));
  }

  /** Whether it was one. */
  readDocument(bytes: Buffer): boolean {
    const scanned = scanJsonObject(bytes);
    if (scanned.ok) {
      const { top } = scanned;
      this.#noteModel(memberValue(top, "model"));
      this.#noteModel(memberValue(top, "modelVersion"));
      this.#noteUsage(asObject(memberValue(top, "usage")));
      this.#noteUsage(asObject(memberValue(top, "usageMetadata")));
      this.isError = saysError(memberValue(top, "error")) || (!this.#counted && memberValue(top, "object") === "error");
      return true;
    }
    // Gemini streams an array of answers to those who do not ask for events.
    const value = parsed(bytes.toString("utf8").replace(/^\uFEFF/, ""));
    if (typeof value !== "object" || value === null) return false;
    const events: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const event of events) this.#readEvent(event);
    const [first] = events;
    this.isError = events.length === 1 && saysError(asObject(first)?.error);
    const last = events.length > 1 ? asObject(events.at(-1)) : undefined;
    if (saysError(last?.error)) this.lastError = last;
    return true;
  }

  /** Whether a document may end like this. Its counts stand at its end, if anywhere here. */
  readTail(bytes: Buffer, usage: Buffer): boolean {
    const mark = bytes.lastIndexOf(usage);
    const open = mark === -1 ? -1 : bytes.indexOf(OPEN_BRACE, mark);
    const end = open === -1 ? -1 : endOfLargeValue(bytes, open);
    if (end !== -1) this.#noteUsage(asObject(parsed(bytes.toString("utf8", open, end))));
    return endsLikeData(Buffer.from(bytes.toString("latin1").trimEnd(), "latin1"));
  }

  #readEvent(value: unknown): void {
    const event = asObject(value);
    if (event === undefined) return;
    const inner = asObject(event.message) ?? asObject(event.response) ?? event;
    const usage = asObject(event.usage) ?? asObject(inner.usage) ?? asObject(event.usageMetadata);
    this.#noteModel(inner.model ?? event.modelVersion);
    if (typeof event.type === "string" && RESPONSE_ENDS.has(event.type)) this.ended = true;
    this.#noteUsage(usage);
  }

  #noteModel(model: unknown): void {
    if (typeof model === "string" && model !== "") this.#model = model.slice(0, MAX_MODEL);
  }

  #noteUsage(usage: { readonly [key: string]: unknown } | undefined): void {
    if (usage === undefined) return;
    this.#counted = true;
    this.#reader.read(usage as JsonObject);
  }
}

/** Some servers say `"error":null`, or `{}`, when all is well. */
function saysError(error: unknown): boolean {
  return (typeof error === "string" && error !== "") || Object.keys(asObject(error) ?? {}).length > 0;
}

const EMPTY = Buffer.alloc(0);
const MAX_MODEL = 1_024;

const RESPONSE_ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed"]);

/** Whether a line of data is all there, though not its end: one that was cut may end like a whole one. */
function isWholeLine(line: Buffer): boolean {
  if (!endsLikeData(line)) return false;
  const text = line.toString("utf8");
  return text.endsWith("[DONE]") || parsed(text.slice(Math.max(0, text.indexOf("{")))) !== undefined;
}

/** `…}` or `[DONE]` */
function endsLikeData(line: Buffer): boolean {
  const last = line.at(-1);
  return last === 0x7d || last === 0x5d;
}

function endOfLine(lines: Buffer, from: number): number {
  const end = lines.indexOf(LF, from);
  return end === -1 ? lines.length : end;
}

/** Whether `:null` comes at `at`, with or without a blank. */
function isNull(lines: Buffer, at: number): boolean {
  const value = lines[at + 1] === 0x20 ? at + 2 : at + 1;
  return lines[value] === 0x6e;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): { readonly [key: string]: unknown } | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as { readonly [key: string]: unknown })
    : undefined;
}
