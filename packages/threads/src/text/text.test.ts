import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planQuery, withBeginnings } from "./query.ts";
import { snippetOf } from "./snippet.ts";
import { indexTerms, termsOf, wordsOf } from "./terms.ts";

const body = (text: string) => indexTerms(text).body;
const names = (text: string) => indexTerms(text).names;

describe("the terms of a text", () => {
  test.each([
    ["The quick fox.", "the quick fox"],
    ["go to a b", "go to a b"],
    ["fooBar foo_bar FooBAR HTTPServer utf8", "foo bar foo bar foo bar http server utf8"],
    ["packages/threads/src/record.ts:12", "packages threads src record ts 12"],
    ["Émile Ångström Straße naïve Øre", "emile angstrom strasse naive ore"],
    ["ﬁle ＡＢＣ", "file abc"],
    ["日本語", "日本 本語 語"],
    ["ガギ か\u3099", "ガギ ギ が"],
    ["한국어 검색", "한국 국어 어 검색 색"],
    ["日本fooBar語", "日本 本 foo bar 語"],
    ["שָׁלוֹם", "שלום"],
    ["Ёлка й", "елка и"],
    ["__init__ _x", "init x"],
    ["\u2474 \u2488 \u00bd a\u2474b", "1 1 1 2 a 1 b"],
    ["before \ufe70 \u037a a\u037a \uff9e after", "before a after"],
    [`${"x".repeat(63)}\u{1d7d9}\u{10428}`, `${"x".repeat(63)}1`],
    [`${"\u00e9".repeat(63)}\u{10428}`, "e".repeat(63)],
    ["", ""],
    ["!? -- \u0000", ""],
  ])("%s: %s", (text, expected) => {
    expect(body(text)).toBe(expected);
  });

  test("keep identifiers as wholes beside their parts", () => {
    expect(names("fooBar foo_bar plain HTTPServer")).toBe("foobar foobar httpserver");
  });

  test("are letters, digits and marks, stand where they say, and never fail, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        let before = 0;
        for (const { start, end, term } of termsOf(text)) {
          expect(term).toMatch(/^[\p{L}\p{N}\p{M}]+$/u);
          expect(term).toMatch(/[\p{L}\p{N}]/u);
          expect(end).toBeGreaterThan(start);
          expect(start).toBeGreaterThanOrEqual(before);
          expect(end).toBeLessThanOrEqual(text.length);
          before = start;
        }
      }),
    );
  });

  test("are the same however they are read", () => {
    const unit = fc.oneof(
      fc.constantFrom("a", "B", "7", "_", " ", "-", "é", "日", "한", "\u0301", "ﬁ", "foo", "BAR", "x".repeat(70)),
      fc.string({ unit: "binary", maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 30 }), (units) => {
        const text = units.join("");
        expect(body(text)).toBe([...termsOf(text)].map(({ term }) => term).join(" "));
        expect(names(text)).toBe([...wordsOf(text)].flatMap(({ whole }) => whole ?? []).join(" "));
      }),
      { numRuns: 500 },
    );
  });

  test("are short, whatever the text is", () => {
    const longest = Math.max(
      ...body(`${"x".repeat(10_000)} ${"語".repeat(1_000)}`)
        .split(" ")
        .map((term) => term.length),
    );
    expect(longest).toBeLessThanOrEqual(64);
  });
});

/** Phrases as text; `*` marks those whose last term may go on. */
const planned = (query: string) => {
  const plan = planQuery(query);
  const words = (phrases: readonly { terms: readonly string[]; prefix: boolean }[]) =>
    phrases.map(({ terms, prefix }) => terms.join(" ") + (prefix ? "*" : ""));
  return {
    all: plan?.all.map((choices) => choices.flatMap(({ phrases }) => words(phrases))),
    none: plan?.none.flatMap(({ phrases }) => words(phrases)),
  };
};

describe("a query", () => {
  test("is words that all have to be there", () => {
    expect(planned("quick fox")).toEqual({ all: [["quick"], ["fox"]], none: [] });
  });
  test("has phrases, exclusions and alternatives", () => {
    expect(planned('"quick brown" -fox cat OR dog')).toEqual({ all: [["quick brown"], ["cat", "dog"]], none: ["fox"] });
  });
  test("finds identifiers however they are written", () => {
    expect(planned("fooBar")).toEqual({ all: [["foo bar", "foobar"]], none: [] });
    expect(planned("src/record.ts")).toEqual({ all: [["src record ts"]], none: [] });
  });
  test("finds one character of Chinese by the pairs that it begins", () => {
    expect(planned("語")).toEqual({ all: [["語*"]], none: [] });
    expect(planned("日本語")).toEqual({ all: [["日本 本語"]], none: [] });
  });
  test.each([
    ['an "open quote', [["an"], ["open"], ["quote"]]],
    ["OR", [["or"]]],
    ["fox OR", [["fox"], ["or"]]],
    ["-fox", [["fox"]]],
    ["NEAR(a b) AND NOT *", [["near a"], ["b"], ["and"], ["not"]]],
    ["{title}: x^2", [["title"], ["x 2"]]],
  ])("%j that breaks the rules is taken literally", (query, all) => {
    expect(planned(query)).toEqual({ all, none: [] });
  });
  test.each(["", "  ", '""', "-", "*", "\u0000"])("%j asks for nothing", (query) => {
    expect(planQuery(query)).toBeUndefined();
  });
  test("can be met by words that only begin so, if they are three letters or more", () => {
    const plan = planQuery("index go");
    if (plan === undefined) throw new Error("no plan");
    expect(withBeginnings(plan).all.map(([first]) => first?.phrases[0]?.prefix)).toEqual([true, false]);
  });
  test("never fails, for any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => void planQuery(text)));
  });
});

describe("a snippet", () => {
  const shown = (text: string, query: string) => {
    const plan = planQuery(query);
    if (plan === undefined) throw new Error("no plan");
    const snippet = snippetOf(text, plan);
    return { text: snippet.text, marked: snippet.highlights.map(([from, to]) => snippet.text.slice(from, to)) };
  };
  test("marks what was found, as it is written", () => {
    expect(shown("Call  fooBar()\nat the Café.", "foobar cafe")).toEqual({
      text: "Call fooBar() at the Café.",
      marked: ["fooBar", "Café"],
    });
    expect(shown("これは日本語です", "日本語")).toEqual({ text: "これは日本語です", marked: ["日本語"] });
  });
  test("is the part with the most of it", () => {
    const text = `one ${"filler ".repeat(100)} one two three ${"filler ".repeat(100)}`;
    const { text: part, marked } = shown(text, "one two three");
    expect(marked).toEqual(["one", "two", "three"]);
    expect(part.length).toBeLessThanOrEqual(162);
    expect(part).toMatch(/^….*…$/);
  });
  test("marks every word and every part of one that is looked for, and nothing else", () => {
    const unit = fc.oneof(
      fc.constantFrom("a", "B", "_", "-", "é", "日", "本", "\u0301", "foo", "Foo", "fooBar", "FOO_bar", "BAR", " "),
      fc.constantFrom("foo", "bar", " "),
    );
    fc.assert(
      fc.property(
        fc.array(unit, { maxLength: 6 }),
        fc.constantFrom("foo", "foobar", "é", "日本", `foo${"x".repeat(70)}`),
        (units, query) => {
          const text = `${units.join("")} foo${"x".repeat(70)}`.replace(/ +/g, " ").trim();
          const plan = planQuery(query);
          if (plan === undefined) throw new Error("no plan");
          const wanted = new Set(
            plan.all.flat().flatMap(({ phrases, names }) => [...phrases, ...names].flatMap(({ terms }) => terms)),
          );
          const marked = new Set<number>();
          const mark = (from: number, to: number): void => {
            for (let at = from; at < to; at++) marked.add(at);
          };
          for (const { parts, whole } of wordsOf(text)) {
            const [first] = parts;
            if (whole !== undefined && wanted.has(whole) && first !== undefined)
              mark(first.start, parts.at(-1)?.end ?? 0);
            else for (const { start, end, term } of parts) if (wanted.has(term)) mark(start, end);
          }
          const { highlights } = snippetOf(text, plan, text.length + 1);
          const found = new Set<number>();
          for (const [from, to] of highlights) for (let at = from; at < to; at++) found.add(at);
          expect([...found].sort()).toEqual([...marked].sort());
        },
      ),
      { numRuns: 500 },
    );
  });
  test("cuts no character in two", () => {
    const text = `${"🦄".repeat(200)} needle ${"🦄".repeat(200)}`;
    expect(shown(text, "needle").text.isWellFormed()).toBe(true);
  });
});
