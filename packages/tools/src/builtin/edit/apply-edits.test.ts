import fc from "fast-check";
import { expect, test } from "vitest";
import type { Edit } from "./apply-edits.ts";
import { applyEdits } from "./apply-edits.ts";
import { toBytes, toEditable } from "./editable-text.ts";

/** The bytes after the edits, or the reason why there are none. */
function edit(content: string | Uint8Array, ...edits: readonly Partial<Edit>[]): string {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const result = applyEdits(
    toEditable(bytes),
    edits.map((each) => ({ oldText: "", newText: "", replaceAll: false, ...each })),
  );
  if (result.type === "refused") return `${result.problem.type} ${result.problem.index}`;
  return Buffer.from(toBytes(result.file)).toString();
}

/** Small alphabet: matches, repeats and line breaks are frequent. */
const text = fc.string({ unit: fc.constantFrom("a", "b", "\n", "é"), maxLength: 40 });
const piece = fc.string({ unit: fc.constantFrom("a", "b", "\n", "é"), minLength: 1, maxLength: 4 });
const anyEdit = fc.record({
  oldText: piece,
  newText: fc.string({ unit: fc.constantFrom("a", "c", "\n", "é"), maxLength: 4 }),
  replaceAll: fc.boolean(),
});

/** What the edits should do to a text with LF, by the means of the language; undefined where they do not apply. */
function reference(content: string, edits: readonly Edit[]): string | undefined {
  let result = content;
  for (const { oldText, newText, replaceAll } of edits) {
    const first = result.indexOf(oldText);
    if (first === -1 || oldText === newText) return undefined;
    if (!replaceAll && result.indexOf(oldText, first + 1) !== -1) return undefined;
    result = replaceAll ? result.split(oldText).join(newText) : result.replace(oldText, () => newText);
  }
  if (content === "" || result === "" || content.endsWith("\n") === result.endsWith("\n")) return result;
  return result.endsWith("\n") ? result.slice(0, -1) : `${result}\n`;
}

test("edits do what replacing text does, one after the other", () => {
  fc.assert(
    fc.property(text, fc.array(anyEdit, { minLength: 1, maxLength: 3 }), (content, edits) => {
      const expected = reference(content, edits);
      const actual = edit(content, ...edits);
      if (expected === undefined) expect(actual).toMatch(/^(not_found|ambiguous|no_change) \d$/);
      else expect(actual).toBe(expected);
    }),
    { numRuns: 1_000 },
  );
});

test("a file with CRLF and a byte order mark is edited as if it had neither, and keeps both", () => {
  fc.assert(
    fc.property(text, fc.array(anyEdit, { minLength: 1, maxLength: 3 }), (content, edits) => {
      fc.pre(content.includes("\n"));
      const expected = reference(content, edits);
      const actual = edit(`\ufeff${content.replaceAll("\n", "\r\n")}`, ...edits);
      if (expected === undefined) expect(actual).toMatch(/^(not_found|ambiguous|no_change) \d$/);
      else expect(actual).toBe(`\ufeff${expected.replaceAll("\n", "\r\n")}`);
    }),
    { numRuns: 1_000 },
  );
});

test("in a file with both kinds of line breaks, those outside an edit stay as they are", () => {
  const mixed = fc.array(fc.constantFrom("a", "b", "\n", "\r\n"), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(mixed, mixed, piece, (before, after, newText) => {
      const [head, tail] = [before.join(""), after.join("")];
      // A lone LF right after the edited text must not find a CR before it.
      fc.pre(`${head}${tail}`.includes("\r\n"));
      const result = edit(`${head}X${tail}`, { oldText: "X", newText: `<${newText}>` });
      expect(result.startsWith(`${head}<`) && result.endsWith(`>${tail}`)).toBe(true);
    }),
  );
});

test("line breaks that an edit repeats stay as they are, new ones are like most of the file's", () => {
  const content = "1\r\n2\n3\r\n4\r\n";
  expect(edit(content, { oldText: "1\n2\n3\n", newText: "1\n2\nnew\n3\n" })).toBe("1\r\n2\nnew\r\n3\r\n4\r\n");
});

test("bytes that are not UTF-8 survive an edit beside them", () => {
  const content = Buffer.from("caf\xe9\nfoo\n\xff\n", "latin1");
  const result = applyEdits(toEditable(content), [{ oldText: "foo", newText: "bär", replaceAll: false }]);
  if (result.type === "refused") throw new Error("refused");
  expect(Buffer.from(toBytes(result.file)).toString("latin1")).toBe("caf\xe9\nb\xc3\xa4r\n\xff\n");
});

test("any bytes come back unchanged when nothing is edited", () => {
  const bytes = fc.array(fc.oneof(fc.constantFrom(0x0a, 0x0d, 0xef, 0xbb, 0xbf), fc.nat(255)), { maxLength: 60 });
  fc.assert(
    fc.property(bytes, (values) => {
      const content = Buffer.from(values);
      expect(Buffer.from(toBytes(toEditable(content))).equals(content)).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test("nothing is matched loosely", () => {
  for (const oldText of ["foo ", " foo", "FOO", "fo\u200bo", "ｆoo", "\tfoo", "foo\n\n", "foo\r\n"]) {
    expect([oldText, edit("  x\nfoo\nbar\n", { oldText, newText: "y" })]).toEqual([oldText, "not_found 0"]);
  }
  expect(edit("“x”", { oldText: '"x"', newText: "y" })).toBe("not_found 0");
  expect(edit("e\u0301", { oldText: "\u00e9", newText: "y" })).toBe("not_found 0");
});

test("special patterns of replacement are plain text", () => {
  expect(edit("a b c", { oldText: "b", newText: "$& $1 $$ $`" })).toBe("a $& $1 $$ $` c");
});

test("overlapping places are not unique", () => {
  expect(edit("aaa", { oldText: "aa", newText: "b" })).toBe("ambiguous 0");
});

test("an edit sees what the one before it has made, and a later miss undoes all", () => {
  expect(edit("a", { oldText: "a", newText: "b" }, { oldText: "b", newText: "c" })).toBe("c");
  expect(edit("a", { oldText: "a", newText: "b" }, { oldText: "a", newText: "c" })).toBe("not_found 1");
});

test("the final line break stays, or stays away", () => {
  expect(edit("a\nb\n", { oldText: "b\n", newText: "c" })).toBe("a\nc\n");
  expect(edit("a\nb", { oldText: "b", newText: "c\n" })).toBe("a\nc");
  expect(edit("a\r\nb\r\n", { oldText: "b\n", newText: "c" })).toBe("a\r\nc\r\n");
  expect(edit("a\r\nb", { oldText: "b", newText: "c\nd\n" })).toBe("a\r\nc\r\nd");
  expect(edit("a\n", { oldText: "a\n", newText: "" })).toBe("");
});

test("an empty text is filled as it is given", () => {
  expect(edit("", { newText: "a\r\nb" })).toBe("a\r\nb");
  expect(edit("\ufeff", { newText: "a" })).toBe("\ufeffa");
  expect(edit("x", { newText: "a" })).toBe("not_empty 0");
});
