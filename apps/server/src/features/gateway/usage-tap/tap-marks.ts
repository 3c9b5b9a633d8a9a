import type { WireDialect } from "../target.ts";
import { endOfLine } from "./lines.ts";

/** In whose words an answer says what it used; `work` and `pictures`: of other work with models than conversations. */
export type TapKind = WireDialect | "work" | "pictures";

export type Marks = {
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
export const mark = (text: string): Buffer => Buffer.from(text, "latin1");

export const MARKS: Readonly<Record<TapKind, Marks>> = {
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

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** About how many bytes of text these lines hold. */
export function textIn(lines: Buffer, { text, envelope }: Marks): number {
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
