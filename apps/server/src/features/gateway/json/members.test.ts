import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JSON_KEYS } from "./keys.ts";
import { memberValue, scanJsonObject } from "./members.ts";

const scan = (text: string) => scanJsonObject(Buffer.from(text));

const keys = fc.oneof(
  fc.constantFrom(...JSON_KEYS),
  fc.constantFrom("a", "\\", '"', "ä", "", "models", "Model"),
  fc.string(),
);

describe("the top level of a JSON object", () => {
  test("is found in any object, however it is written", () => {
    const blanks = fc.constantFrom("", " ", "\n\t", "  ");
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue()), blanks, fc.boolean(), (object, blank, pretty) => {
        const text = `${blank}${JSON.stringify(object, undefined, pretty ? 2 : undefined)}${blank}`;
        const scanned = scan(text);
        if (!scanned.ok) throw new Error(`${scanned.problem} in ${text}`);
        const expected = JSON.parse(text);
        for (const key of JSON_KEYS) {
          expect(memberValue(scanned.top, key)).toEqual(Object.hasOwn(expected, key) ? expected[key] : undefined);
        }
        expect(scanned.top.isEmpty).toBe(Object.keys(expected).length === 0);
      }),
    );
  });

  test("passes wherever JSON.parse passes the whole, but for a field that comes twice", () => {
    const whole = '{"model":"m","stream":true,"n":[1,{"a":"}\\""}],"x":-1.5e3}';
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.constantFrom("", ",", '"', "}", ":", "x", "{"), (at, by) => {
        const text = whole.slice(0, at) + by + whole.slice(at + 1);
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          return;
        }
        const scanned = scan(text);
        if (!scanned.ok) expect(scanned.problem).toContain("twice");
        else
          for (const key of JSON_KEYS)
            expect(memberValue(scanned.top, key)).toEqual((value as Record<string, unknown>)[key]);
      }),
    );
  });

  test.each([
    "",
    " ",
    "[]",
    "null",
    '"{}"',
    "{",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{'a':1}",
    '{"a":1}x',
    '{"a":tru}',
    '{"a":"x}',
    '{"a":[}',
  ])("is not in %j", (text) => {
    expect(scan(text).ok).toBe(false);
  });

  test("has no field twice, however it is spelled, because readers differ in which one they believe", () => {
    expect(scan('{"model":"cheap","model":"dear"}')).toMatchObject({
      ok: false,
      problem: expect.stringContaining("twice"),
    });
    expect(scan('{"model":"cheap","mod\\u0065l":"dear"}').ok).toBe(false);
  });

  test("says where a field stands there in another case", () => {
    const inOtherCase = (text: string) => {
      const scanned = scan(text);
      if (!scanned.ok) throw new Error(scanned.problem);
      return scanned.top.inOtherCase;
    };
    expect(inOtherCase('{"model":"good","x":{"Model":1},"usage":1,"Usage":2}')).toBeUndefined();
    expect(inOtherCase('{"model":"good","Model":"bad"}')).toBe("model");
    expect(inOtherCase('{"max_to\u212aens":99999,"max_tokens":1}')).toBe("max_tokens");
  });

  test("are found behind long strings, whatever stands in them", () => {
    const lines = ["word ", "\n", '"', "\\", '{"model": "x"}', "é", "\t\t"];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...lines), { minLength: 1, maxLength: 12 }),
        fc.nat(4_000),
        fc.nat(8),
        (some, times, more) => {
          const input = some.join("").repeat(times) + "x".repeat(more);
          const scanned = scan(JSON.stringify({ input, model: "m", system: input, stream: true }));
          if (!scanned.ok) throw new Error(scanned.problem);
          expect(memberValue(scanned.top, "model")).toBe("m");
          expect(memberValue(scanned.top, "stream")).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("gives values, also behind strings longer than a walk", () => {
    const long = `${"x".repeat(60)}\\\\\\"${"y".repeat(60)}`;
    const scanned = scan(`{"long":"${long}","mod\\u0065l":"m\\u00e4"}`);
    if (!scanned.ok) throw new Error(scanned.problem);
    expect(memberValue(scanned.top, "model")).toBe("mä");
    expect(memberValue(scanned.top, "stream")).toBeUndefined();
  });
});
