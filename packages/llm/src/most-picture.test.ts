import { expect, test } from "vitest";
import { mostPictureTokens, usualPictureTokens } from "./most-picture.ts";

const PNG = { kind: "png" } as const;

test.each([
  ["claude-opus-5-5", 5_000],
  ["claude-haiku-4-5@20251001", 5_000],
  ["gpt-4o-mini-2024-07-18", 48_169],
  ["ft:gpt-4o-mini:acme::1", 48_169],
  ["gpt-4o", 5_000],
  ["gpt-4.1-nano", 5_000],
  ["o3", 5_000],
  ["o4-mini", 5_000],
  ["gpt-5", 25_000],
  ["gpt-5-mini-2025-08-07", 25_000],
  ["gpt-5.4-nano", 25_000],
  ["gpt-5.5-pro", 25_000],
  ["gemini-3.1-pro-preview", 2_500],
  ["gemini-2.5-flash", 10_000],
])("a picture for %s costs no more than %i tokens", (model, most) => {
  expect(mostPictureTokens(model, PNG)).toBe(most);
});

test.each(["gpt-5.6", "gpt-5.6-luna", "gpt-6-astra", "gpt-6.1-sol"])(
  "for %s, the size of a picture says what it costs",
  (model) => {
    // 12 megapixels were billed as 14,364 tokens, 1.2 for each of 126 by 95 patches.
    expect(mostPictureTokens(model, { ...PNG, size: { width: 4_032, height: 3_024 } })).toBe(29_925);
    expect(mostPictureTokens(model, { ...PNG, size: { width: 1, height: 33 } })).toBe(5);
    expect(mostPictureTokens(model, PNG)).toBeUndefined();
  },
);

test.each([
  "gpt-7",
  "gpt-50",
  "gpt-5.10",
  "gpt-3.5-turbo",
  "gpt-4",
  "gemini-2.0-flash",
  "glm-5.3",
  "lab/claude-x",
  "o100",
  "",
])("what a picture for %j costs at most is not known", (model) => {
  expect(mostPictureTokens(model, { ...PNG, size: { width: 1, height: 1 } })).toBeUndefined();
});

test("what a GIF costs at Gemini is not known, since it may be a film", () => {
  expect(mostPictureTokens("gemini-3.5-flash", { kind: "gif" })).toBeUndefined();
  expect(mostPictureTokens("claude-opus-5", { kind: "gif" })).toBe(5_000);
});

test.each([
  ["claude-opus-5", 2_765],
  ["gpt-4o-mini", 36_835],
  ["o3", 1_105],
  ["gpt-5.4", 2_500],
  ["gpt-6-astra", 60 * 34 * 1.2],
  ["gemini-3.1-pro-preview", 1_120],
  ["gemini-2.5-flash", 1_548],
  ["lab/qwen3-vl", 1_600],
  [undefined, 1_600],
])("a picture of a screen usually costs %s %i tokens, and never more than the most", (model, tokens) => {
  const screen = { ...PNG, size: { width: 1_920, height: 1_080 } };
  expect(usualPictureTokens(model, screen)).toBe(tokens);
  expect(mostPictureTokens(model ?? "", screen) ?? tokens).toBeGreaterThanOrEqual(tokens);
});

test("a picture whose size is not known usually costs what most do", () => {
  expect(usualPictureTokens("gpt-6-astra", PNG)).toBe(1_600);
});
