// Events in lines of a stream that end in an LF. What an event says is mostly in one line of data; its lines are one text where
// there are several (HTML, 9.2.6).
import { parsed } from "../json/value.ts";
import { isLineEnd, LF } from "../line-ends.ts";
import { endOfLine, endsLikeData, OPEN_BRACE } from "./lines.ts";

const COLON = 0x3a;
const SPACE = 0x20;
const DATA = Buffer.from("data:", "latin1");

export type FoundEvent = {
  /** What it says; `undefined` where that is no JSON. */
  readonly value: unknown;
  /** Where the lines that say it begin and end. */
  readonly start: number;
  readonly end: number;
};

/** The event of the line that stands at `at`. */
export function eventAt(lines: Buffer, at: number): FoundEvent {
  const start = lines.lastIndexOf(LF, at) + 1;
  const end = endOfLine(lines, at);
  const value = objectIn(lines, start, end);
  if (value !== undefined) return { value, start, end };
  const event = { start: startOfEvent(lines, start), end: endOfEvent(lines, end) };
  return { value: parsed(dataIn(lines, event.start, event.end)), ...event };
}

/** Whether the first line of data in these lines of one event is only a part of its data. */
export function holdsPart(lines: Buffer): boolean {
  for (let start = 0; start < lines.length; ) {
    const end = endOfLine(lines, start);
    if (isData(lines, start)) return !isWhole(dataIn(lines, start, end));
    start = end + 1;
  }
  return false;
}

/** Whether the data of these lines of one event is all there, though not its end: one that was cut may end like a whole one. */
export function isWholeEvent(lines: Buffer): boolean {
  let end = lines.length;
  while (isLineEnd(lines[end - 1])) end -= 1;
  return endsLikeData(lines.subarray(0, end)) && isWhole(dataIn(lines, 0, end));
}

function isWhole(data: string): boolean {
  return data.endsWith("[DONE]") || parsed(data) !== undefined;
}

/** The object that is the value of a line's field. */
function objectIn(lines: Buffer, start: number, end: number): unknown {
  let at = lines.indexOf(COLON, start) + 1;
  while (lines[at] === SPACE) at += 1;
  return lines[at] === OPEN_BRACE && at < end ? parsed(lines.toString("utf8", at, end)) : undefined;
}

function dataIn(lines: Buffer, from: number, to: number): string {
  const data: string[] = [];
  for (let start = from; start < to; ) {
    const end = Math.min(endOfLine(lines, start), to);
    if (isData(lines, start)) data.push(lines.toString("utf8", start + DATA.length, end));
    start = end + 1;
  }
  return data.join("\n").trim();
}

function isData(lines: Buffer, start: number): boolean {
  return lines.compare(DATA, 0, DATA.length, start, Math.min(start + DATA.length, lines.length)) === 0;
}

/** Behind the blank line before the line that begins at `from`. */
function startOfEvent(lines: Buffer, from: number): number {
  let start = from;
  while (start > 0) {
    const before = start === 1 ? 0 : lines.lastIndexOf(LF, start - 2) + 1;
    if (isLineEnd(lines[before])) return start;
    start = before;
  }
  return start;
}

/** Where the blank line begins behind the line that ends at `from`. */
function endOfEvent(lines: Buffer, from: number): number {
  let end = from;
  while (end < lines.length && !isLineEnd(lines[end + 1])) end = endOfLine(lines, end + 1);
  return Math.min(end, lines.length);
}
