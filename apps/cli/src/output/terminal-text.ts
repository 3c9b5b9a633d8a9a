/**
 * C0 but tab and newline, DEL, C1: what moves the cursor, sets colours, titles and clipboards. Bidirectional controls
 * and invisible format characters that can make a text read otherwise than it is (Unicode TR #36, "Trojan Source").
 */
const UNSAFE = /\r\n|[\p{Cc}--[\t\n]]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/gv;

/**
 * Text of a model or a tool as a terminal may have it: control characters are left out, and bidirectional ones are
 * shown by their name, as in `‹U+202E›`, so that nothing is reordered and nothing is hidden.
 */
export function terminalText(text: string): string {
  return text.replace(UNSAFE, (found) => {
    if (found === "\r\n") return "\n";
    const code = found.charCodeAt(0);
    if (code < 0xa0) return "";
    return code === 0xfeff ? "" : `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

/** `terminalText` on one line of at most `maxCharacters`. */
export function terminalLine(text: string, maxCharacters: number): string {
  const line = terminalText(text).replace(/\s+/g, " ").trim();
  const characters = Array.from(line.slice(0, 2 * maxCharacters + 1));
  return characters.length <= maxCharacters
    ? characters.join("")
    : `${characters.slice(0, maxCharacters - 1).join("")}…`;
}
