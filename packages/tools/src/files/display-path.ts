/** Control characters, line separators and marks that turn the direction of writing. */
const MISLEADING = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

const ESCAPED = new RegExp(MISLEADING.source, "gu");

/** A path on one line: as it is, or quoted and escaped as in JSON if it holds characters that would mislead. */
export function displayPath(path: string): string {
  if (!MISLEADING.test(path)) return path;
  return JSON.stringify(path).replace(ESCAPED, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
