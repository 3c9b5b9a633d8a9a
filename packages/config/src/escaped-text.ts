/** JSON in a string of JSON, once more. */
const MAX_LEVELS = 3;

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Whether a JSON string in this text may say something in a way that `JSON.stringify` would not. */
export function mayBeEscaped(text: string): boolean {
  return text.includes("\\u") || text.includes("\\/");
}

/**
 * Replaces what `pattern` (global) finds in the text without its JSON escapes (RFC 8259, section 7), and leaves everything
 * else as it is, escapes included. Linear in the text.
 */
export function replaceEscaped(text: string, pattern: RegExp, replacement: string): string {
  let plain = text;
  /** Where each unit of `plain` begins in `text`, and where the last of them ends. */
  let starts = Uint32Array.from({ length: text.length + 1 }, (_, index) => index);
  const found: { readonly start: number; readonly end: number }[] = [];
  for (let level = 0; level < MAX_LEVELS && plain.includes("\\"); level += 1) {
    ({ plain, starts } = unescaped(plain, starts));
    for (const match of plain.matchAll(pattern)) {
      found.push({ start: starts[match.index] ?? 0, end: starts[match.index + match[0].length] ?? text.length });
    }
  }
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  let clean = "";
  let at = 0;
  for (const { start, end } of found) {
    if (start >= at) clean += text.slice(at, start) + replacement;
    at = Math.max(at, end);
  }
  return clean + text.slice(at);
}

function unescaped(text: string, starts: Uint32Array): { plain: string; starts: Uint32Array<ArrayBuffer> } {
  const kept = new Uint32Array(text.length + 1);
  const parts: string[] = [];
  let length = 0;
  let from = 0;
  const copy = (to: number): void => {
    parts.push(text.slice(from, to));
    kept.set(starts.subarray(from, to), length);
    length += to - from;
  };
  for (let at = text.indexOf("\\"); at !== -1; at = text.indexOf("\\", from)) {
    copy(at);
    const hex = text[at + 1] === "u" ? text.slice(at + 2, at + 6) : "";
    const short = SHORT_ESCAPES[text[at + 1] ?? ""];
    const isLong = /^[0-9a-f]{4}$/i.test(hex);
    parts.push(isLong ? String.fromCharCode(Number.parseInt(hex, 16)) : (short ?? "\\"));
    kept[length] = starts[at] ?? 0;
    length += 1;
    // A backslash that escapes nothing stands for itself.
    from = at + (isLong ? 6 : short === undefined ? 1 : 2);
  }
  copy(text.length);
  kept[length] = starts[text.length] ?? 0;
  return { plain: parts.join(""), starts: kept };
}
