import type { LlmFailure } from "@loom/core";
import type { TextRun } from "./text-run.ts";
import { Utf8Decoder } from "./utf8.ts";

/** One event of a stream. `event` is `message` where the stream does not name it. */
export type SseEvent = {
  readonly event: string;
  readonly data: string;
  /** The event stands for several, which `runAt` has read: `data` is their text. */
  readonly isRun?: true;
};

export type SseOptions = {
  /** Most UTF-16 code units of one event, and of one line. Default 16 Mi. */
  readonly maxEventSize?: number;
  /**
   * Reads many events at once, where `stream` has such at `start`, the beginning of an event. `before`: those of the same bytes
   * that stand before it, and that nobody has seen yet.
   */
  readonly runAt?: (stream: string, start: number, before: readonly SseEvent[]) => TextRun | undefined;
};

const DEFAULT_MAX_EVENT_SIZE = 16 * 1024 * 1024;
const LF = 10;
const SPACE = 32;
const COLON = 58;

/**
 * Server-sent events from bytes, by the rules of the WHATWG event-stream format, but for `id` and `retry`, which no
 * model provider uses. Any split of the bytes gives the same events. Takes linear time, however large an event is.
 */
export class SseDecoder {
  readonly #utf8 = new Utf8Decoder();
  readonly #maxEventSize: number;
  readonly #runAt: SseOptions["runAt"];
  #failure: LlmFailure | undefined;
  /** The line whose end has not come yet. Grows as a rope and is searched once, when it is whole. */
  #line = "";
  /** A CR ended the last chunk: an LF that comes next belongs to it. */
  #afterCr = false;
  #name = "";
  #data: string | undefined;
  #size = 0;

  constructor(options: SseOptions = {}) {
    this.#maxEventSize = options.maxEventSize ?? DEFAULT_MAX_EVENT_SIZE;
    this.#runAt = options.runAt;
  }

  /** Set for good once an event grew too large. The events before that one are still given; nothing comes after. */
  get failure(): LlmFailure | undefined {
    return this.#failure;
  }

  /** The events that these bytes complete, oldest first. */
  push(bytes: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    if (this.#failure === undefined) this.#read(this.#utf8.push(bytes), events);
    return events;
  }

  /**
   * The connection ended. Gives the event that lacks its blank line, or its last line end, if there is one: the
   * standard drops it, and some providers forget the blank line after the last event, so the caller decides.
   */
  end(): SseEvent | undefined {
    if (this.#failure !== undefined) return undefined;
    const completed: SseEvent[] = [];
    this.#read(this.#utf8.end(), completed);
    if (this.#line !== "") this.#endLine(this.#line, 0, this.#line.length, completed);
    this.#line = "";
    this.#endLine("", 0, 0, completed);
    return completed[0];
  }

  /**
   * The common case, quickly: from `start` on, events of one `event:` line and one `data:` line with LF line ends, whole in
   * one chunk. Stops at the first that is different in any way and gives the index where it begins.
   */
  #readWholeEvents(text: string, from: number, events: SseEvent[]): number {
    let start = from;
    for (;;) {
      const named = text.startsWith("event: ", start);
      const data = named ? text.indexOf("\n", start) + 1 : start;
      if (data < start || !text.startsWith("data: ", data)) return start;
      const end = text.indexOf("\n", data);
      if (end === -1 || end - start > this.#maxEventSize || text.charCodeAt(end + 1) !== LF) return start;
      const event = data > start + 8 ? text.slice(start + 7, data - 1) : "message";
      events.push({ event, data: text.slice(data + 6, end) });
      start = end + 2;
    }
  }

  /** Tried once for each piece of text, because it may look through all of it. */
  #readRun(text: string, start: number, events: SseEvent[]): number {
    const run = text.length > this.#maxEventSize ? undefined : this.#runAt?.(text, start, events);
    if (run === undefined) return start;
    events.push({ event: "message", data: run.text, isRun: true });
    return run.end;
  }

  #read(text: string, events: SseEvent[]): void {
    const length = text.length;
    if (length === 0) return;
    let start = this.#afterCr && text.charCodeAt(0) === LF ? 1 : 0;
    this.#afterCr = false;
    // Each is the next one at or after `start`, or `length` for none, so that no part of the text is searched twice.
    let lf = indexOrEnd(text, "\n", start);
    let cr = indexOrEnd(text, "\r", start);
    const onlyLf = cr === length;
    let triedRun = false;
    while (start < length) {
      if (onlyLf && this.#isBetweenEvents()) {
        if (!triedRun) start = this.#readRun(text, start, events);
        triedRun = true;
        start = this.#readWholeEvents(text, start, events);
      }
      if (lf < start) lf = indexOrEnd(text, "\n", start);
      if (cr < start) cr = indexOrEnd(text, "\r", start);
      const end = Math.min(lf, cr);
      if (end === length) break;
      if (this.#line === "") {
        this.#endLine(text, start, end, events);
      } else {
        const line = this.#line + text.slice(start, end);
        this.#line = "";
        this.#endLine(line, 0, line.length, events);
      }
      if (this.#failure !== undefined) return;
      start = end + 1;
      if (end === cr) {
        if (start === length) this.#afterCr = true;
        else if (text.charCodeAt(start) === LF) start += 1;
      }
    }
    if (start >= length) return;
    this.#line += text.slice(start);
    if (this.#size + this.#line.length > this.#maxEventSize) this.#fail();
  }

  #isBetweenEvents(): boolean {
    return this.#line === "" && this.#size === 0;
  }

  /** One whole line, `text` from `start` to `end`. */
  #endLine(text: string, start: number, end: number, events: SseEvent[]): void {
    if (start === end) {
      if (this.#data !== undefined)
        events.push({ event: this.#name === "" ? "message" : this.#name, data: this.#data });
      this.#data = undefined;
      this.#name = "";
      this.#size = 0;
      return;
    }
    if (this.#size + end - start > this.#maxEventSize) {
      this.#fail();
      return;
    }
    const data = fieldValue(text, "data", start, end);
    if (data !== undefined) {
      this.#data = this.#data === undefined ? data : `${this.#data}\n${data}`;
      this.#size += end - start;
      return;
    }
    const name = fieldValue(text, "event", start, end);
    if (name === undefined) return;
    this.#name = name;
    this.#size += end - start;
  }

  #fail(): void {
    this.#line = "";
    this.#data = undefined;
    this.#failure = {
      code: "invalid_response",
      message: `The provider sent an event larger than ${this.#maxEventSize} characters.`,
      retryable: false,
    };
  }
}

/** The value of the field `name`, if that is what the line holds; without the one space that may follow the colon. */
function fieldValue(text: string, name: string, start: number, end: number): string | undefined {
  if (!text.startsWith(name, start)) return undefined;
  const colon = start + name.length;
  if (colon === end) return "";
  if (text.charCodeAt(colon) !== COLON) return undefined;
  const value = colon + 1;
  return text.slice(value < end && text.charCodeAt(value) === SPACE ? value + 1 : value, end);
}

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index === -1 ? text.length : index;
}
