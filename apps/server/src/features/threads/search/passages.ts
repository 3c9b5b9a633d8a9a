import { MAX_TERM_UNITS, readTerms } from "@loom/threads/records";
import { TermText } from "./term-text.ts";

/** A part of what was said, as an index keeps it. Good until the next one is read. */
export type Passage = {
  /** In order, for phrases. */
  readonly body: TermText;
  /** Identifiers as wholes, each once. */
  readonly names: TermText;
};

/**
 * Terms in a passage: PostgreSQL knows 256 places of a word in a text and no more, and a long text is no better found as a
 * whole. A text of less than about 12 KB is one passage.
 */
const MAX_TERMS = 2_048;

/** Tells one text after the other in passages. */
export class PassageReader {
  readonly #body = new TermText();
  readonly #names = new TermText();

  /** The terms of a text, cut where a word ends. */
  read(text: string, onPassage: (passage: Passage) => void): void {
    const body = this.#body;
    const names = this.#names;
    const close = (): void => {
      onPassage({ body, names });
      body.clear();
      names.clear();
    };
    let word = 0;
    // A run without spaces is one word, however long: it may reach beyond the bound, but only by itself.
    const endWord = (): void => {
      if (body.terms >= MAX_TERMS) close();
      word = body.byteLength;
    };
    readTerms(text, {
      onPlain: (from, to) => body.addPlain(text, from, Math.min(to, from + MAX_TERM_UNITS)),
      onTerm: ({ term }) => body.add(term),
      onPlainWord(parts) {
        if (parts > 1) {
          const before = names.byteLength;
          names.addJoined(body, word, MAX_TERM_UNITS);
          names.dropRepeated(before);
        }
        endWord();
      },
      onWord(whole) {
        if (whole !== undefined) {
          const before = names.byteLength;
          names.add(whole);
          names.dropRepeated(before);
        }
        endWord();
      },
    });
    if (body.terms > 0) close();
  }
}

/** What stands in front of a term's count in the text of repeated terms, and how many characters that is. */
export function repeatMark(term: string): readonly [string, number] {
  const mark = `|${term}=`;
  return [mark, [...mark].length];
}
