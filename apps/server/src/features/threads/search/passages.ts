import { readTerms } from "@loom/threads/records";

/** A part of what was said, as an index keeps it. */
export type Passage = {
  /** In order, for phrases. */
  readonly body: readonly string[];
  /** Identifiers as wholes. */
  readonly names: readonly string[];
};

/**
 * Terms in a passage: PostgreSQL knows 256 places of a word in a text and no more, and a long text is no better found as a
 * whole. A text of less than about 12 KB is one passage.
 */
const MAX_TERMS = 2_048;

/** The terms of a text, cut where a word ends. */
export function passagesOf(text: string): Passage[] {
  const passages: Passage[] = [];
  let body: string[] = [];
  let names: string[] = [];
  const close = (): void => {
    passages.push({ body, names });
    body = [];
    names = [];
  };
  readTerms(text, {
    onTerm: (term) => body.push(term),
    // A run without spaces is one word, however long: it may reach beyond the bound, but only by itself.
    onWord(whole) {
      if (whole !== undefined) names.push(whole);
      if (body.length >= MAX_TERMS) close();
    },
  });
  if (body.length > 0) close();
  return passages;
}

/** How often each term is there. */
export function countsOf(passage: Passage): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of passage.body) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** What stands in front of a term's count in that text, and how many characters that is. */
export function repeatMark(term: string): readonly [string, number] {
  const mark = `|${term}=`;
  return [mark, [...mark].length];
}

/** Terms that are there more than once, as a text that SQL can look into: `|foo=3|bar=2|`. */
export function repeatsOf(counts: ReadonlyMap<string, number>): string {
  let text = "|";
  for (const [term, count] of counts) if (count > 1) text += `${term}=${count}|`;
  return text;
}
