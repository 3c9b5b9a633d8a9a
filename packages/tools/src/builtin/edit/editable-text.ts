import { byteOrderMarkLength } from "../text-content.ts";

/**
 * A file as edits see it. Every character of `text` is one byte of the file (ISO 8859-1), so that what no edit touches
 * comes back bit by bit, whatever its encoding is. `text` has no byte order mark and, in a file that uses CRLF, only LF.
 */
export type EditableText = {
  readonly byteOrderMark: string;
  readonly text: string;
  /** For each LF of `text`, whether the file has CRLF there; undefined for a file without any CRLF. */
  readonly crlf: readonly boolean[] | undefined;
};

export function toEditable(bytes: Uint8Array): EditableText {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const markLength = byteOrderMarkLength(bytes);
  const byteOrderMark = raw.slice(0, markLength);
  const text = raw.slice(markLength);
  if (!text.includes("\r\n")) return { byteOrderMark, text, crlf: undefined };
  const crlf: boolean[] = [];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) crlf.push(text[at - 1] === "\r");
  return { byteOrderMark, text: text.replaceAll("\r\n", "\n"), crlf };
}

export function toBytes({ byteOrderMark, text, crlf }: EditableText): Uint8Array {
  let line = 0;
  const raw = crlf === undefined ? text : text.replaceAll("\n", () => (crlf[line++] ? "\r\n" : "\n"));
  return Buffer.from(byteOrderMark + raw, "latin1");
}

/** What a model wrote, in the form of `EditableText.text`. */
export function toEditableForm(text: string, file: EditableText): string {
  const bytes = Buffer.from(text).toString("latin1");
  return file.crlf === undefined ? bytes : bytes.replaceAll("\r\n", "\n");
}

/** A piece of `EditableText.text` as a person or a model reads it. */
export function toReadable(text: string): string {
  return Buffer.from(text, "latin1").toString();
}

/** Replaces `before`, which stands at each of `starts` (ascending, not overlapping), by `after`. */
export function replaceAt(file: EditableText, starts: readonly number[], before: string, after: string): EditableText {
  const pieces: string[] = [];
  let end = 0;
  for (const start of starts) {
    pieces.push(file.text.slice(end, start), after);
    end = start + before.length;
  }
  pieces.push(file.text.slice(end));
  return {
    ...file,
    text: pieces.join(""),
    crlf: file.crlf && replaceBreaks(file, file.crlf, { starts, before, after }),
  };
}

/** Ends with a line break if `before` did, and without one if it did not; an empty text is left alone. */
export function keepFinalLineBreak(file: EditableText, before: EditableText): EditableText {
  const { text, crlf } = file;
  if (text === "" || before.text === "" || text.endsWith("\n") === before.text.endsWith("\n")) return file;
  if (text.endsWith("\n")) return { ...file, text: text.slice(0, -1), crlf: crlf?.slice(0, -1) };
  return { ...file, text: `${text}\n`, crlf: crlf && [...crlf, mostlyCrlf(crlf)] };
}

type Replacement = { readonly starts: readonly number[]; readonly before: string; readonly after: string };

/** Line breaks that `before` and `after` share at their ends stay as they are; new ones are like most of the file's. */
function replaceBreaks(
  file: EditableText,
  crlf: readonly boolean[],
  { starts, before, after }: Replacement,
): boolean[] {
  const shared = sharedEnds(before, after);
  const first = countBreaks(before.slice(0, shared.prefix));
  const last = countBreaks(before.slice(before.length - shared.suffix));
  const all = countBreaks(before);
  const fresh: boolean[] = new Array(countBreaks(after) - first - last).fill(mostlyCrlf(crlf));
  const result: boolean[] = [];
  let at = 0;
  let index = 0;
  for (const start of starts) {
    const next = index + countBreaks(file.text.slice(at, start));
    pushAll(result, crlf.slice(index, next + first), fresh, crlf.slice(next + all - last, next + all));
    index = next + all;
    at = start + before.length;
  }
  pushAll(result, crlf.slice(index));
  return result;
}

/** Not `push(...many)`: a spread of a hundred thousand arguments overflows the stack. */
function pushAll(target: boolean[], ...lists: readonly (readonly boolean[])[]): void {
  for (const list of lists) for (const item of list) target.push(item);
}

function sharedEnds(a: string, b: string): { prefix: number; suffix: number } {
  const most = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < most && a[prefix] === b[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < most - prefix && a[a.length - 1 - suffix] === b[b.length - 1 - suffix]) suffix += 1;
  return { prefix, suffix };
}

function countBreaks(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

function mostlyCrlf(crlf: readonly boolean[]): boolean {
  return crlf.filter(Boolean).length * 2 >= crlf.length;
}
