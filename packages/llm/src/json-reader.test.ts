import { JSON_BOUNDS, LARGE_JSON, MAX_JSON_DEPTH } from "@loom/core";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";

import {
  asArray,
  asCount,
  asObject,
  asText,
  MAX_EXACT_VALUES,
  parseJson,
  parseJsonObject,
  plainString,
} from "./json-reader.ts";
import { toolInputText, toolUseFromText } from "./tool-input.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

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

test("what is too deep or has too many values is no value, and is not parsed to know that", () => {
  const parse = vi.spyOn(JSON, "parse");
  const { depth, values } = JSON_BOUNDS;
  const list = (count: number) => `[${Array(count - 1).fill(0)}]`;
  for (const text of [
    "[".repeat(100_000) + "]".repeat(100_000),
    `{"a":${'{"a":'.repeat(depth)}1.0`.padEnd(LARGE_JSON + 1),
    list(values + 1),
  ])
    expect(parseJson(text)).toBeUndefined();
  expect(parse).not.toHaveBeenCalled();
  expect(parseJson(list(values))).toHaveLength(values - 1);
  expect(parse).toHaveBeenCalledOnce();
});

test("a number is kept as it was written, up to a bound of values, which what is inside of texts does not count to", () => {
  const kept = (text: string) => JSON.stringify(parseJson(text));
  for (const number of [
    "1.0",
    "0.0000001",
    "-0.00000012",
    "1e21",
    "0.10",
    "0.000001",
    "-0",
    "-0.0",
    "1234567890123456",
  ])
    expect(kept(`{"a":${number}}`)).toBe(`{"a":${number}}`);
  const ones = (count: number) => `{"t":1.0,"x":[${Array(count).fill(1)}]}`;
  expect(kept(ones(MAX_EXACT_VALUES - 4))).toBe(ones(MAX_EXACT_VALUES - 4));
  expect(kept(ones(MAX_EXACT_VALUES))).toBe(ones(MAX_EXACT_VALUES).replace("1.0", "1"));
  for (const piece of [",", '\\",', "\\\\,", "[{"]) {
    const text = `{"t":1.0,"x":"${piece.repeat(3 * MAX_EXACT_VALUES)}"}`;
    expect(kept(text)).toBe(text);
  }
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
  for (const text of ['{"a":1}', "{}", '{"a"', "[1]", "0"])
    expect(toolInputText(toolUseFromText("id", "bash", text))).toBe(text);
  for (const nothing of ["", " ", "null", "[]", "[ ]", '""'])
    expect(toolUseFromText("id", "bash", nothing)).toEqual({ type: "tool_use", id: "id", name: "bash", input: {} });
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
