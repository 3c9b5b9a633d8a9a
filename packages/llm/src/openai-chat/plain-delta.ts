import type { JsonObject } from "@loom/core";
import { asArray, asCount, asObject, asText, parseJson } from "../json-reader.ts";
import type { SseEvent } from "../sse.ts";
import { isPlain, type TextRun, textRun } from "../text-run.ts";

const CONTENT = '"content":"';
/** Stands for the text when the frame is tried. */
const PROBE = "loom probe";
/** So many frames in a row that fit no other chunk, and the server writes something new into each (OpenAI's padding). */
const MAX_USELESS_FRAMES = 4;

/**
 * Most chunks of an answer differ in nothing but a few characters of text. This remembers what stood around the text of
 * the last one and takes the text of the next from between, which costs half of parsing it.
 */
export class PlainDeltas {
  #before = "";
  #after: string | undefined;
  #useless = 0;

  /** The text of a chunk that, but for its text, is the last one over again; `undefined` if it has to be parsed. */
  textOf(data: string): string | undefined {
    const before = this.#before;
    const after = this.#after;
    if (after === undefined || data.length < before.length + after.length) return undefined;
    if (!data.startsWith(before) || !data.endsWith(after)) return undefined;
    const text = data.slice(before.length, data.length - after.length);
    if (!isPlain(text)) return undefined;
    this.#useless = 0;
    return text;
  }

  /**
   * The texts of the chunks that stand in the stream from `start` on, if all of them are the last one over again. Where one
   * of `before`, which are still to be read, is another, that may not be the last one any more.
   */
  runAt(stream: string, start: number, before: readonly SseEvent[]): TextRun | undefined {
    if (this.#after === undefined || before.some(({ data }) => this.textOf(data) === undefined)) return undefined;
    const run = textRun(stream, start, `data: ${this.#before}`, `${this.#after}\n\n`);
    if (run !== undefined) this.#useless = 0;
    return run;
  }

  /** To be called with every chunk that was parsed: what is known of the one before does not hold after it. */
  learn(data: string, chunk: JsonObject): void {
    this.#after = undefined;
    const text = plainTextOf(chunk);
    if (text === undefined || this.#useless >= MAX_USELESS_FRAMES) return;
    const start = data.indexOf(CONTENT) + CONTENT.length;
    if (start < CONTENT.length || !data.startsWith(`${text}"`, start)) return;
    const before = data.slice(0, start);
    const after = data.slice(start + text.length);
    // The place may belong to another "content": only where a change there changes the text, it is the text's.
    if (plainTextOf(asObject(parseJson(before + PROBE + after)) ?? {}) !== PROBE) return;
    this.#before = before;
    this.#after = after;
    this.#useless += 1;
  }
}

/**
 * The text of a chunk that says nothing else but what counts once however often it is said: reason to stop, token counts,
 * model. Nothing else may come of it: no thinking, no refusal, no call.
 */
function plainTextOf(chunk: JsonObject): string | undefined {
  const [item, ...more] = asArray(chunk.choices);
  const choice = asObject(item);
  if (choice === undefined || more.length > 0 || (asCount(choice.index) ?? 0) !== 0) return undefined;
  const { content, role: _, ...others } = asObject(choice.delta) ?? {};
  return Object.values(others).every((value) => value === null || value === "") ? asText(content) : undefined;
}
