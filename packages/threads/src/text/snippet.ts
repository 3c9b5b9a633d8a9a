import type { QueryPlan, Wanted } from "./query.ts";
import { MAX_TERM_UNITS, plainTerm, readTerms, type Term } from "./terms.ts";

/** A piece of a text around what was found in it; `highlights` are UTF-16 offsets into `text`, in order, apart. */
export type Snippet = { readonly text: string; readonly highlights: readonly (readonly [number, number])[] };

const SNIPPET_UNITS = 160;
/** Of a snippet, what stands in front of the first match. */
const LEAD_UNITS = 40;
/** Looked through for the best place; what comes later is not shown. */
const MAX_SCANNED_UNITS = 256 * 1024;

/**
 * The part of `text`, of about `units` UTF-16 units, with the most of what was searched for, on one line: every white space is a single space. Control
 * and bidirectional characters are left in; whoever shows it makes them harmless.
 */
export function snippetOf(text: string, plan: QueryPlan, units = SNIPPET_UNITS): Snippet {
  const found = matchesIn(text.slice(0, MAX_SCANNED_UNITS), plan);
  const from = startFor(text, bestMatch(found, units));
  const to = Math.min(text.length, from + units);
  const piece = onOneLine(text, from, to);
  const highlights = merged(found.filter(({ start, end }) => start >= from && end <= to));
  return {
    text: `${from > 0 ? "…" : ""}${piece.text}${to < text.length ? "…" : ""}`,
    highlights: highlights.map(({ start, end }) => {
      const lead = from > 0 ? 1 : 0;
      return [lead + piece.offsetOf(start), lead + piece.offsetOf(end)];
    }),
  };
}

function matchesIn(text: string, plan: QueryPlan): Term[] {
  const wanted = plan.all.flat();
  const exact = new Set(wanted.flatMap(termsIn));
  const beginnings = wanted.flatMap(({ phrases, names }) =>
    [...phrases, ...names].filter(({ prefix }) => prefix).map(({ terms }) => terms.at(-1) ?? ""),
  );
  const firsts = new Set([...exact, ...beginnings].map((term) => term.charCodeAt(0)));
  const matches = (term: string) => exact.has(term) || beginnings.some((start) => term.startsWith(start));
  const found: Term[] = [];
  let word: { readonly start: number; end: number } | undefined;
  let before = 0;
  const note = (start: number, end: number): void => {
    if (word === undefined) word = { start, end };
    else word.end = end;
  };
  /** Found as a whole, it counts instead of its parts. */
  const endWord = (whole: string | undefined): void => {
    if (whole !== undefined && word !== undefined && matches(whole)) {
      found.length = before;
      found.push({ ...word, term: whole });
    }
    before = found.length;
    word = undefined;
  };
  readTerms(text, {
    onPlain(start, end) {
      note(start, end);
      // Most terms are not even looked at: a plain one begins as it does in lower case, but for this bit.
      if (!firsts.has(text.charCodeAt(start) | 0x20)) return;
      const term = plainTerm(text, start, end);
      if (matches(term)) found.push({ start, end, term });
    },
    onTerm(term) {
      note(term.start, term.end);
      if (matches(term.term)) found.push(term);
    },
    onPlainWord(parts) {
      const isLong = parts > 1 && word !== undefined;
      endWord(
        isLong
          ? text.slice(word?.start, word?.end).replaceAll("_", "").toLowerCase().slice(0, MAX_TERM_UNITS)
          : undefined,
      );
    },
    onWord: endWord,
  });
  return found;
}

function termsIn({ phrases, names }: Wanted): readonly string[] {
  return [...phrases, ...names].flatMap(({ terms }) => terms);
}

/** The match after which, within a snippet's length, the most different terms follow. */
function bestMatch(found: readonly Term[], units: number): Term | undefined {
  let best: Term | undefined;
  let most = 0;
  for (const [index, match] of found.entries()) {
    const near = new Set<string>();
    for (let next = index; next < found.length; next++) {
      const other = found[next];
      if (other === undefined || other.end > match.start + units - LEAD_UNITS) break;
      near.add(other.term);
    }
    if (near.size > most) {
      most = near.size;
      best = match;
    }
  }
  return best;
}

function startFor(text: string, match: Term | undefined): number {
  if (match === undefined || match.start <= LEAD_UNITS) return 0;
  const earliest = match.start - LEAD_UNITS;
  const space = text.slice(earliest, match.start).search(/\s/);
  const from = space === -1 ? earliest : earliest + space + 1;
  // Not in the middle of a character.
  return /[\udc00-\udfff]/.test(text.charAt(from)) ? from + 1 : from;
}

function onOneLine(text: string, from: number, to: number) {
  let line = "";
  const offsets: number[] = [];
  for (let index = from; index < to; index++) {
    offsets.push(line.length);
    const unit = text.charAt(index);
    if (!/\s/.test(unit)) line += unit;
    else if (!line.endsWith(" ") && line !== "") line += " ";
  }
  return { text: line.toWellFormed(), offsetOf: (position: number) => offsets[position - from] ?? line.length };
}

function merged(terms: readonly Term[]): Term[] {
  const result: Term[] = [];
  for (const term of terms) {
    const last = result.at(-1);
    if (last !== undefined && term.start <= last.end) {
      result[result.length - 1] = { ...last, end: Math.max(last.end, term.end) };
    } else result.push(term);
  }
  return result;
}
