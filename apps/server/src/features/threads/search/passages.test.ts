import { indexTerms } from "@loom/threads/records";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PassageReader } from "./passages.ts";
import { ByteText } from "./term-text.ts";

type Told = { readonly body: string; readonly names: string; readonly repeats: string; readonly distinct: string[] };

function passagesIn(text: string, reader = new PassageReader()): Told[] {
  const told: Told[] = [];
  reader.read(text, ({ body, names }) => {
    const repeats = new ByteText();
    body.writeRepeats(repeats);
    told.push({
      body: textOf(body.bytes),
      names: textOf(names.bytes),
      repeats: textOf(repeats.toBytes()),
      distinct: [...body.distinct()],
    });
  });
  return told;
}

/** The same, made of strings and maps: `words` have nothing between them that could be a part of two. */
function plainly(words: readonly string[]): Told[] {
  const told: Told[] = [];
  let body: string[] = [];
  let names: string[] = [];
  const close = () => {
    const counts = new Map<string, number>();
    for (const term of body) counts.set(term, (counts.get(term) ?? 0) + 1);
    const repeated = Array.from(counts).filter(([, count]) => count > 1);
    told.push({
      body: body.join(" "),
      names: [...new Set(names)].join(" "),
      repeats: `|${repeated.map(([term, count]) => `${term}=${count}|`).join("")}`,
      distinct: [...counts.keys()],
    });
    body = [];
    names = [];
  };
  for (const terms of words.map(indexTerms)) {
    body.push(...split(terms.body));
    names.push(...split(terms.names));
    if (body.length >= 2_048) close();
  }
  if (body.length > 0) close();
  return told;
}

const split = (text: string) => text.split(" ").filter((term) => term !== "");
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

describe("the passages of a text", () => {
  test("hold its terms in order, identifiers as wholes once, and how often a term is there", () => {
    const [passage, ...more] = passagesIn("fooBar Ångström foo_bar 日本語 HTTPServer2 foo");
    expect(more).toEqual([]);
    expect(passage).toEqual({
      body: "foo bar angstrom foo bar 日本 本語 語 http server2 foo",
      names: "foobar httpserver2",
      repeats: "|foo=3|bar=2|",
      distinct: ["foo", "bar", "angstrom", "日本", "本語", "語", "http", "server2"],
    });
  });

  test("are what a plain reading with strings and maps makes of it, for any words", () => {
    const reader = new PassageReader();
    const unit = fc.oneof(
      fc.constantFrom(
        "a",
        "B",
        "7",
        "_",
        "\u00e4",
        "\u8a9e",
        "\u0301",
        "\u00bd",
        "\u2474",
        "\u037a",
        "foo",
        "BAR",
        "x".repeat(70),
      ),
      fc.string({ unit: "binary", maxLength: 2 }),
    );
    const word = fc.array(unit, { maxLength: 5 }).map((units) => units.join(""));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        // A text of so few words is one passage, wherever they end.
        expect(passagesIn(words.join(" "), reader)).toEqual(plainly([words.join(" ")]));
      }),
      { numRuns: 300 },
    );
  });

  test("are cut where that reading cuts them, for any number of words", () => {
    const reader = new PassageReader();
    const words = fc.array(
      fc.constantFrom("fooBar", "foo_bar", "plain", "Gr\u00f6\u00dfe", "\u65e5\u672c\u8a9e", "x7"),
      {
        minLength: 1_500,
        maxLength: 4_000,
      },
    );
    fc.assert(
      fc.property(words, (some) => {
        expect(passagesIn(some.join(" "), reader)).toEqual(plainly(some));
      }),
      { numRuns: 10 },
    );
  });

  test("are cut where a word ends, and nothing is lost between them, however many terms there are", () => {
    const words = Array.from({ length: 5_000 }, (_, index) => `${index}x${"w".repeat(index % 70)}`);
    const passages = passagesIn(words.join(" "));
    expect(passages.map(({ distinct }) => distinct.length)).toEqual([2_048, 2_048, 904]);
    expect(passages.map(({ body }) => body).join(" ")).toBe(words.map((word) => word.slice(0, 64)).join(" "));
  });
});
