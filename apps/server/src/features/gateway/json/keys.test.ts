import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JSON_KEYS, knownKey } from "./keys.ts";

const found = (key: string) => {
  const bytes = Buffer.from(key);
  return knownKey(bytes, 0, bytes.length);
};
const escaped = (text: string): string =>
  [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");

describe("a key that somebody looks for", () => {
  test("is found as it is and in escapes, and no other key is taken for it", () => {
    const spelled = fc.constantFrom<(key: string) => string>(
      (key) => key,
      escaped,
      (key) => escaped(key).toUpperCase().replaceAll("\\U", "\\u"),
      (key) => key.slice(0, 1) + escaped(key.slice(1)),
      (key) => escaped(key.slice(0, -1)) + key.slice(-1),
    );
    fc.assert(
      fc.property(fc.constantFrom(...JSON_KEYS), spelled, (key, spell) => {
        expect(found(spell(key))).toEqual({ key, isExact: true });
        expect(found(`${spell(key)}${escaped("x")}`)).toBeUndefined();
      }),
    );
  });

  test("is what JSON.parse makes of it, if that is one, whatever stands there", () => {
    const parts = fc.constantFrom(
      "mod",
      "model",
      "n",
      "\\u0065l",
      "\\u006",
      "\\u00zz",
      "\\n",
      "\\\\",
      '\\"',
      "é",
      "€",
      "😀",
      "l",
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 5 }), (some) => {
        const text = some.join("");
        let key: unknown;
        try {
          key = JSON.parse(`"${text}"`);
        } catch {
          key = undefined;
        }
        const known = JSON_KEYS.find((each) => each === key);
        expect(found(text)).toEqual(known === undefined ? undefined : { key: known, isExact: true });
      }),
    );
  });

  test.each([
    ["Model", "model"],
    ["MODEL", "model"],
    ["\\u004dodel", "model"],
    ["max_to\u212aens", "max_tokens"],
    ["max_to\\u212aens", "max_tokens"],
    ["\u017ftream", "stream"],
    ["stream_opt\u0130ons", "stream_options"],
    ["GenerationConfig", "generationConfig"],
    ["N", "n"],
  ])("is found in another case: %s", (spelled, key) => {
    expect(found(spelled)).toEqual({ key, isExact: false });
  });

  test.each(["Usage", "ERROR", "Object", "modelversion", "modél", "Models_", "\u212a", "", "M\\u006Fde"])(
    "is not %j",
    (spelled) => {
      expect(found(spelled)).toBeUndefined();
    },
  );
});
