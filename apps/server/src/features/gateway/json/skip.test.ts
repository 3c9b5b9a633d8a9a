import fc from "fast-check";
import { expect, test } from "vitest";
import { endOfLargeString, endOfLargeValue } from "./skip.ts";

/** Byte by byte, as plainly as it can be said. */
function endOf(text: string): number {
  let depth = 0;
  let inside = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\\") {
      if (!inside) return -1;
      at += 1;
    } else if (character === '"') inside = !inside;
    else if (inside) continue;
    else if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

const pieces = fc.constantFrom(
  "{",
  "}",
  "[",
  "]",
  '"',
  '"',
  "\\\\",
  '\\"',
  "\\n",
  "a",
  ",",
  ":",
  " ",
  "\0",
  "word of a text",
);

test("a value ends where its bracket is closed, whatever stands in its strings", () => {
  fc.assert(
    fc.property(fc.constantFrom("{", "["), fc.array(pieces, { maxLength: 120 }), (open, rest) => {
      const text = open + rest.join("");
      expect(endOfLargeValue(Buffer.from(text, "latin1"), 0)).toBe(endOf(text));
    }),
    { numRuns: 2_000 },
  );
});

test("a value may begin anywhere and be larger than what is looked at in one go", () => {
  const fill = fc.record({ before: fc.nat(20), first: fc.nat(40), second: fc.nat(40), slashes: fc.nat(6) });
  fc.assert(
    fc.property(fill, ({ before, first, second, slashes }) => {
      const run = "\\\\".repeat(slashes);
      // The seams lie 4 KiB and 68 KiB behind the start.
      const text = `["${"x".repeat(4_050 + first)}${run}",{"a":"${"y".repeat(65_500 + second)}${run}\\"}]z"}]`;
      const bytes = Buffer.from(`${" ".repeat(before)}${text}, "more": {}}`, "latin1");
      expect(endOfLargeValue(bytes, before)).toBe(before + text.length);
    }),
    { numRuns: 100 },
  );
});

test("a string ends at its first quote that is not escaped, wherever it begins and however large it is", () => {
  const some = fc.array(pieces, { maxLength: 60 }).map((each) => each.join(""));
  const seams = fc.constantFrom(0, 4_050, 4_090, 4_096, 69_600, 69_632);
  fc.assert(
    fc.property(some, fc.nat(20), seams, fc.nat(20), some, (before, more, seam, extra, after) => {
      const start = before.length + more;
      const text = `${before}${" ".repeat(more)}${"x".repeat(seam + extra)}${after}`;
      const [body = ""] = /^(?:[^"\\]|\\.)*/s.exec(text.slice(start)) ?? [];
      const end = text[start + body.length] === '"' ? start + body.length + 1 : -1;
      expect(endOfLargeString(Buffer.from(text, "latin1"), start)).toBe(end);
    }),
    { numRuns: 1_000 },
  );
});

test("what is cut off, or has a backslash where none may be, has no end", () => {
  const long = `{"a":"${"x".repeat(200_000)}`;
  for (const text of [long, `${long}"`, `${long}\\`, `${long}","b":\\"}`]) {
    expect(endOfLargeValue(Buffer.from(text, "latin1"), 0)).toBe(-1);
  }
});

test("what was read before leaves no trace", () => {
  endOfLargeValue(Buffer.from('{"a":{"b":"\\', "latin1"), 0);
  expect(endOfLargeValue(Buffer.from('["x"]', "latin1"), 0)).toBe(5);
});
