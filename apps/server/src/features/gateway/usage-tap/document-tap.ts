import { isForeignDocument } from "../answer-signs.ts";
import { Counts } from "./tap-counts.ts";
import { MARKS, type Marks, type TapKind, textIn } from "./tap-marks.ts";
import { MAX_ERROR, type TapReading, type UsageTap } from "./tap-reading.ts";

/** Of a document that is longer only the end is looked at. */
const MAX_DOCUMENT = 8 * 1024 * 1024;
const MAX_TAIL = 64 * 1024;

/**
 * Keeps the whole document, because it has to be read from both ends, and reads it once. Of one that is too large, as those
 * with pictures are, the end says whether it was cut and, mostly, what it used.
 */
export class DocumentTap implements UsageTap {
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
