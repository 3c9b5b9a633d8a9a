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

  test("count as a map of strings would, for any words", () => {
    const reader = new PassageReader();
    const word = fc.oneof(fc.constantFrom("a", "b", "ab", "ä", "語"), fc.string({ unit: "binary", maxLength: 8 }));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        for (const { body, repeats, distinct } of passagesIn(words.join(" "), reader)) {
          const counts = new Map<string, number>();
          for (const term of body.split(" ")) counts.set(term, (counts.get(term) ?? 0) + 1);
          expect(distinct).toEqual([...counts.keys()]);
          const repeated = Array.from(counts).filter(([, count]) => count > 1);
          expect(repeats).toBe(`|${repeated.map(([term, count]) => `${term}=${count}|`).join("")}`);
        }
      }),
    );
  });

  test("are cut where a word ends, and nothing is lost between them, however many terms there are", () => {
    const words = Array.from({ length: 5_000 }, (_, index) => `${index}x${"w".repeat(index % 70)}`);
    const passages = passagesIn(words.join(" "));
    expect(passages.map(({ distinct }) => distinct.length)).toEqual([2_048, 2_048, 904]);
    expect(passages.map(({ body }) => body).join(" ")).toBe(words.map((word) => word.slice(0, 64)).join(" "));
  });
});
