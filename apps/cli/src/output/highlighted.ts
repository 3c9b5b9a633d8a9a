import { terminalText } from "./terminal-text.ts";

const BOLD = "\u001b[1m";
const PLAIN = "\u001b[0m";

/** A text with pieces of it in bold; what it says itself cannot reach the terminal's controls. */
export function highlighted(
  { text, highlights }: { readonly text: string; readonly highlights: readonly (readonly [number, number])[] },
  { colours }: { readonly colours: boolean },
): string {
  let result = "";
  let done = 0;
  for (const [from, to] of highlights) {
    const found = terminalText(text.slice(from, to));
    result += terminalText(text.slice(done, from)) + (colours ? `${BOLD}${found}${PLAIN}` : found);
    done = to;
  }
  return result + terminalText(text.slice(done));
}
