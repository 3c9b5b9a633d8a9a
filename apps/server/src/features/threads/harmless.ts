/** Marks that turn the direction of what follows: a text could be shown as another one than it is. */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** What moves cursors and rings bells; line feeds and tabs are left. */
const CONTROLS = /(?![\n\t])[\p{Cc}\u2028\u2029]/gu;

/** A text of strangers as it may be shown: what acts on its surroundings is a visible mark instead. */
export function harmless(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(CONTROLS, "\ufffd")
    .replace(DIRECTIONS, (mark) => `[U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** The same on one line, for titles. */
export function harmlessLine(text: string, most = 200): string {
  const line = harmless(text.replaceAll(/\s+/g, " ")).trim();
  const characters = [...line.slice(0, 2 * most)];
  return characters.length <= most ? characters.join("") : `${characters.slice(0, most - 1).join("")}…`;
}
