import type { JsonValue } from "@loom/core";

/** Longest message that is kept in memory; a line of a file that makes a longer one is not shown, but counted. */
const MAX_MESSAGE_BYTES = 1_048_576;
const LINE_FEED = 10;

/** What matters of one line of `rg --json`. Paths and lines are bytes: neither has to be UTF-8. */
export type RipgrepMessage =
  | {
      readonly type: "match";
      readonly path: Buffer;
      readonly line: number;
      /** Where the line begins in the file. */
      readonly offset: number;
      readonly bytes: Buffer;
      /** Where in the line the first match begins. */
      readonly column: number;
    }
  /** Of a file. */
  | { readonly type: "end" }
  | { readonly type: "too_long" };

/** Cuts the output of `rg --json` into messages, in bounded memory. */
export class RipgrepMessages {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  push(chunk: Buffer): RipgrepMessage[] {
    const messages: RipgrepMessage[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      const tooLong = this.#pendingBytes > MAX_MESSAGE_BYTES;
      const message = tooLong ? { type: "too_long" as const } : decode(Buffer.concat(this.#pending).toString());
      if (message !== undefined) messages.push(message);
      this.#pending = [];
      this.#pendingBytes = 0;
    }
    this.#keep(chunk.subarray(start));
    return messages;
  }

  #keep(bytes: Buffer): void {
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes <= MAX_MESSAGE_BYTES) this.#pending.push(bytes);
    else this.#pending = [];
  }
}

function decode(line: string): RipgrepMessage | undefined {
  const message: JsonValue = JSON.parse(line);
  const type = member(message, "type");
  if (type === "end") return { type };
  if (type !== "match") return undefined;
  const data = member(message, "data");
  const submatches = member(data, "submatches");
  const first = Array.isArray(submatches) ? (submatches[0] as JsonValue | undefined) : undefined;
  const path = bytesOf(member(data, "path"));
  const bytes = bytesOf(member(data, "lines"));
  const number = member(data, "line_number");
  const offset = member(data, "absolute_offset");
  const column = member(first, "start");
  if (path === undefined || bytes === undefined) return undefined;
  if (typeof number !== "number" || typeof offset !== "number") return undefined;
  return { type, path, line: number, offset, bytes, column: typeof column === "number" ? column : 0 };
}

/** `{"text": "..."}`, or `{"bytes": base64}` for what is not UTF-8. */
function bytesOf(value: JsonValue | undefined): Buffer | undefined {
  const text = member(value, "text");
  if (typeof text === "string") return Buffer.from(text);
  const base64 = member(value, "bytes");
  return typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined;
}

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return (value as { readonly [key: string]: JsonValue })[key];
}
