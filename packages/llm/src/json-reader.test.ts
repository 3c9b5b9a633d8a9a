import fc from "fast-check";
import { expect, test } from "vitest";
import {
  asArray,
  asCount,
  asObject,
  asText,
  MAX_JSON_DEPTH,
  parseJson,
  parseJsonObject,
  plainString,
} from "./json-reader.ts";
import { toolInputText, toolUseFromText } from "./tool-input.ts";

test("a text that is no JSON has no value", () => {
  for (const text of ["", "{", "undefined", "{'a':1}", "NaN", '{"a":1}}']) expect(parseJson(text)).toBeUndefined();
});

test("a text that is JSON but no object is no object", () => {
  for (const text of ["null", "1", "[]", '"a"']) expect(parseJsonObject(text)).toBeUndefined();
  expect(parseJsonObject('{"a":1}')).toEqual({ a: 1 });
});

test("nesting is read up to a depth that can be written again", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  expect(parseJson(nested(MAX_JSON_DEPTH))).toBeDefined();
  expect(parseJson(nested(MAX_JSON_DEPTH + 1))).toBeUndefined();
  expect(parseJson(nested(1_000_000))).toBeUndefined();
  expect(parseJson(JSON.stringify("[".repeat(10_000)))).toBeDefined();
});

test("a value of another kind is none", () => {
  expect([
    asObject(null),
    asObject([]),
    asObject("a"),
    asText(""),
    asText(1),
    asCount(-1),
    asCount(0.5),
    asCount("1"),
  ]).toEqual(Array(8).fill(undefined));
  expect([asArray(undefined), asArray({ length: 1 })]).toEqual([[], []]);
});

test("the text of a call's arguments comes back as it was, or as the same JSON", () => {
  for (const text of ['{"a":1}', "{}", '{"a"', "[]"])
    expect(toolInputText(toolUseFromText("id", "bash", text))).toBe(text);
  expect(toolInputText(toolUseFromText("id", "bash", ""))).toBe("{}");
});

test("the short way to a string gives what the parser gives, or nothing", () => {
  const start = '{"text":"';
  const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom('"', "\\", "\n", '"}', "é😀", ""));
  fc.assert(
    fc.property(text, fc.constantFrom("", "  ", "\n", "}", ",", '"'), (value, after) => {
      const json = JSON.stringify({ text: value }) + after;
      const found = plainString(json, start.length, "}");
      const escaped = JSON.stringify(value) !== `"${value}"`;
      expect(found).toBe(escaped || after.trim() !== "" ? undefined : value);
    }),
  );
  for (const cut of ["", start, `${start}a`, `${start}a"`]) expect(plainString(cut, start.length, "}")).toBeUndefined();
});
