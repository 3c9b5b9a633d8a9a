/**
 * One thing that can be found: where it stands in the text, as UTF-16 offsets, and what it is found by. Pure, so that
 * every index (SQLite here, a server's database elsewhere) finds the same.
 */
export type Term = {
  readonly start: number;
  readonly end: number;
  /** Folded, and made of letters, digits and marks alone. */
  readonly term: string;
};

/** A word of the text: its terms in order and, where it has several parts, the word as a whole. */
type Word = {
  readonly parts: readonly Term[];
  readonly whole?: string;
  /** Of a script without spaces: its parts are pairs of characters, and the last character alone. */
  readonly paired: boolean;
};

/** What goes into an index: `body` holds every part in order, for phrases; `names` the identifiers as wholes. */
export type IndexTerms = { readonly body: string; readonly names: string };

/** Longer ones are cut: they are keys, checksums and the like, and nobody types more of them. */
export const MAX_TERM_UNITS = 64;
/** Runs of letters longer than this are no words but data (base64, minified code). Only their beginning is kept. */
const MAX_WORD_UNITS = 256;

/** Scripts that put no space between words: what is found in them is every pair of neighbouring characters. */
const UNSPACED =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}ー々〆";
const UNSPACED_RUN = new RegExp(`^[${UNSPACED}]`, "u");
const WORDS = new RegExp(
  `[${UNSPACED}][${UNSPACED}\\p{M}]*|(?:(?![${UNSPACED}])[\\p{L}\\p{N}])(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}_])*`,
  "gu",
);
/** `fooBar` is foo and Bar, `HTTPServer` HTTP and Server, `foo_bar` foo and bar; digits stay where they are. */
const PARTS = /[^_]+?(?=_|$|(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}))/gu;
/** Characters of an unspaced script, each with the marks on it. */
const CHARACTERS = /\P{M}\p{M}*/gu;

/** The terms of a text, in order. */
export function* termsOf(text: string): Generator<Term, void> {
  for (const { parts } of wordsOf(text)) yield* parts;
}

/** The text as an index keeps it: terms separated by spaces. */
export function indexTerms(text: string): IndexTerms {
  const body: string[] = [];
  const names: string[] = [];
  readTerms(text, {
    onPlain: (from, to) => body.push(plainTerm(text, from, to)),
    onTerm: ({ term }) => body.push(term),
    onPlainWord(parts) {
      if (parts > 1) names.push(body.slice(-parts).join("").slice(0, MAX_TERM_UNITS));
    },
    onWord(whole) {
      if (whole !== undefined) names.push(whole);
    },
  });
  return { body: body.join(" "), names: names.join(" ") };
}

/** What cannot be part of two words at once: most texts are mostly plain, and Unicode's properties are slow to ask for. */
const STRETCHES = /[A-Za-z0-9\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*/g;
const ASCII_WORD = /^\w+$/;
const ONE_PART = /^[a-z0-9]+$/;
const ASCII_PARTS = /[^_]+?(?=_|$|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))/g;

export function* wordsOf(text: string): Generator<Word, void> {
  for (const { 0: stretch, index } of text.matchAll(STRETCHES)) {
    if (ASCII_WORD.test(stretch)) yield asciiWord(stretch.slice(0, MAX_WORD_UNITS), index);
    else yield* wordsOfStretch(stretch, index);
  }
}

/** What an index wants to know of a text, in its order. Most texts are mostly plain, and nobody need make strings of that. */
export type TermReader = {
  /** A term that is ASCII: the letters and digits of the text from here to there, still in its case and not cut. */
  onPlain(from: number, to: number): void;
  /** Any other one. */
  onTerm(term: Term): void;
  /** Behind the plain terms of a word: how many there were. Two or more also make a whole, of `MAX_TERM_UNITS` at most. */
  onPlainWord(parts: number): void;
  /** Behind those of any other word; the word as a whole if it has one. */
  onWord(whole: string | undefined): void;
};

/** What such a piece of a text is found by. */
export function plainTerm(text: string, from: number, to: number): string {
  return text.slice(from, Math.min(to, from + MAX_TERM_UNITS)).toLowerCase();
}

const PLAIN_UNIT = 1;
const CAPITAL = 2;
const UNDERSCORE = 4;
const OTHER = 8;
/** Of ASCII; 0 is what stands between words. */
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const unit = String.fromCharCode(code);
  if (/[a-z0-9]/.test(unit)) return PLAIN_UNIT;
  if (/[A-Z]/.test(unit)) return CAPITAL;
  return unit === "_" ? UNDERSCORE : 0;
});

/** The same terms as `wordsOf`, several times as fast: for texts by the million. */
export function readTerms(text: string, reader: TermReader): void {
  const { length } = text;
  for (let at = 0; at < length; at++) {
    const start = at;
    const first = kindAt(text, at);
    if (first === 0 || first === UNDERSCORE) continue;
    let others = 0;
    for (at += 1; at < length; at++) {
      const kind = kindAt(text, at);
      if (kind === 0) break;
      others |= kind;
    }
    const kinds = first | others;
    if (kinds === PLAIN_UNIT) {
      reader.onPlain(start, Math.min(at, start + MAX_WORD_UNITS));
      reader.onPlainWord(1);
    } else if ((kinds & OTHER) === 0) readAsciiWord(text, start, Math.min(at, start + MAX_WORD_UNITS), reader);
    else {
      for (const { parts, whole } of wordsOfStretch(text.slice(start, at), start)) {
        for (const term of parts) reader.onTerm(term);
        reader.onWord(whole);
      }
    }
  }
}

/** As `asciiWord`: `ASCII_PARTS` without a regular expression. */
function readAsciiWord(text: string, start: number, end: number, reader: TermReader): void {
  let parts = 0;
  let from = start;
  let kind = kindAt(text, start);
  for (let at = start; at < end; at++) {
    const next = at + 1 < end ? kindAt(text, at + 1) : UNDERSCORE;
    const beyond = at + 2 < end ? text.charCodeAt(at + 2) : 0;
    const ends =
      next === UNDERSCORE ||
      (next === CAPITAL && kind === PLAIN_UNIT) ||
      (next === CAPITAL && kind === CAPITAL && beyond >= 97 && beyond <= 122);
    if (kind === UNDERSCORE) from = at + 1;
    else if (ends) {
      reader.onPlain(from, at + 1);
      parts += 1;
      from = at + 1;
    }
    kind = next;
  }
  reader.onPlainWord(parts);
}

function kindAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (KINDS[code] ?? 0) : OTHER;
}

function* wordsOfStretch(stretch: string, at: number): Generator<Word, void> {
  for (const match of stretch.matchAll(WORDS)) {
    const word = match[0].slice(0, MAX_WORD_UNITS);
    const start = at + match.index;
    const paired = UNSPACED_RUN.test(word);
    const found = paired ? { parts: pairsOf(word, start), paired } : wordOf(partsOf(word, start, PARTS, foldedTerms));
    if (found.parts.length > 0) yield found;
  }
}

function asciiWord(word: string, start: number): Word {
  if (ONE_PART.test(word)) {
    return { parts: [{ start, end: start + word.length, term: word.slice(0, MAX_TERM_UNITS) }], paired: false };
  }
  return wordOf(partsOf(word, start, ASCII_PARTS, (part) => [part.toLowerCase().slice(0, MAX_TERM_UNITS)]));
}

function partsOf(word: string, at: number, pattern: RegExp, fold: (part: string) => readonly string[]): Term[] {
  const parts: Term[] = [];
  for (const { 0: part, index } of word.matchAll(pattern)) {
    for (const term of fold(part)) parts.push({ start: at + index, end: at + index + part.length, term });
  }
  return parts;
}

function wordOf(parts: readonly Term[]): Word {
  if (parts.length < 2) return { parts, paired: false };
  return { parts, whole: cut(parts.map(({ term }) => term).join("")), paired: false };
}

/** Every pair of neighbours, and the last character alone: so a single character is found by its beginning anywhere. */
function pairsOf(run: string, at: number): Term[] {
  const characters = [...run.matchAll(CHARACTERS)].map(({ 0: text, index }) => ({ text, start: at + index }));
  return characters.flatMap(({ text, start }, index) => {
    const next = characters[index + 1];
    const both = next === undefined ? text : text + next.text;
    return foldedTerms(both).map((term) => ({ start, end: start + both.length, term }));
  });
}

/** Letters whose plain form Unicode does not know. */
const PLAIN: Readonly<Record<string, string>> = {
  ß: "ss",
  ø: "o",
  æ: "ae",
  œ: "oe",
  ł: "l",
  đ: "d",
  ð: "d",
  þ: "th",
  ı: "i",
};
const HAS_PLAIN = new RegExp(`[${Object.keys(PLAIN).join("")}]`, "g");
/** Accents of Latin, Greek and Cyrillic, vowel points of Hebrew and Arabic; what a mark means elsewhere stays. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]/g;
const ASCII = /^[\x20-\x7e]*$/;
const ONE_TERM = /^[\p{L}\p{N}][\p{L}\p{N}\p{M}]*$/u;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** Lower case, without accents, compatibility forms as plain ones (`ﬁ`, full-width letters). */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  const bare = text.toLowerCase().normalize("NFKD").replace(ACCENTS, "").normalize("NFC");
  return bare.toLowerCase().replace(HAS_PLAIN, (letter) => PLAIN[letter] ?? letter);
}

/** Usually one; a compatibility form may fall into several words (`½`), or into nothing (U+037A, a blank with a mark on it). */
function foldedTerms(text: string): string[] {
  const folded = fold(text);
  if (ONE_TERM.test(folded)) return [cut(folded)];
  return folded
    .split(/[^\p{L}\p{N}\p{M}]+/u)
    .filter((term) => LETTER_OR_DIGIT.test(term))
    .map(cut);
}

/** Not in the middle of a character. */
function cut(term: string): string {
  if (term.length <= MAX_TERM_UNITS) return term;
  const head = term.slice(0, MAX_TERM_UNITS);
  return head.isWellFormed() ? head : head.slice(0, -1);
}
