/** Whether a model can have written what begins here, in any dialect, even where it was not asked to do so in this way. */
export function mayBeOfModel(chunk: Buffer): boolean {
  return beginsLikeEvents(chunk) || beginsLikeJson(chunk);
}

/** Whether a comment or one of the fields of server-sent events begins here, as far as something does. */
export function beginsLikeEvents(chunk: Buffer): boolean {
  const [line = ""] = /[^\s\xef\xbb\xbf].{0,5}/.exec(chunk.toString("latin1", 0, 64)) ?? [];
  return line === "" || EVENT_FIELDS.some((field) => line.startsWith(field) || field.startsWith(line));
}

const EVENT_FIELDS = ["data", "event", "id", "retry", ":"];

/** Whether an object or an array begins here, as far as something does. */
export function beginsLikeJson(chunk: Buffer): boolean {
  for (const byte of chunk) {
    if (BLANKS.has(byte)) continue;
    return byte === 0x7b || byte === 0x5b;
  }
  return true;
}

/** And the bytes of a byte order mark. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]);
