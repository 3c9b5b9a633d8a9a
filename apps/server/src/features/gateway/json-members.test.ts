import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memberValue, scanJsonObject } from "./json-members.ts";

const scan = (text: string) => scanJsonObject(Buffer.from(text));

describe("the top level of a JSON object", () => {
  test("is found in any object, however it is written", () => {
    const blanks = fc.constantFrom("", " ", "\n\t", "  ");
    const key = fc.oneof(fc.constantFrom("model", "stream", "a", "\\", '"', "ä", ""), fc.string());
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), blanks, fc.boolean(), (object, blank, pretty) => {
        const text = `${blank}${JSON.stringify(object, undefined, pretty ? 2 : undefined)}${blank}`;
        const scanned = scan(text);
        if (!scanned.ok) throw new Error(`${scanned.problem} in ${text}`);
        const bytes = Buffer.from(text);
        const found = [...scanned.top.members.values()].map(({ keyStart, start, end }) => [
          JSON.parse(bytes.toString("utf8", keyStart, bytes.indexOf(":", endOfKey(bytes, keyStart)))),
          JSON.parse(bytes.toString("utf8", start, end)),
        ]);
        expect(Object.fromEntries(found)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("is refused wherever JSON.parse refuses the top level", () => {
    const whole = '{"model":"m","stream":true,"n":[1,{"a":"}\\""}],"x":-1.5e3}';
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.constantFrom("", ",", '"', "}", ":", "x", "{"), (at, by) => {
        const text = whole.slice(0, at) + by + whole.slice(at + 1);
        let parses = true;
        try {
          JSON.parse(text);
        } catch {
          parses = false;
        }
        // What lies deeper is not looked at, so more may pass; what parses has to, but for a field that comes twice.
        const scanned = scan(text);
        if (parses) expect(scanned.ok || scanned.problem.includes("twice")).toBe(true);
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

  test("gives values, also behind strings longer than a walk", () => {
    const long = `${"x".repeat(60)}\\\\\\"${"y".repeat(60)}`;
    const scanned = scan(`{"long":"${long}","mod\\u0065l":"m"}`);
    if (!scanned.ok) throw new Error(scanned.problem);
    expect(memberValue(scanned.top, "model")).toBe("m");
    expect(memberValue(scanned.top, "missing")).toBeUndefined();
  });
});

function endOfKey(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
  return at;
}
