import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor, redact } from "./redact.ts";
import { Secret } from "./secret.ts";

const KEY = 'p@ss "word"/with+odd?chars';

describe("redact", () => {
  it("replaces a known secret in plain, URL, JSON and base64 form", () => {
    const redactKey = createRedactor([new Secret(KEY)]);
    const texts = [
      `key is ${KEY}.`,
      `https://x/?k=${encodeURIComponent(KEY)}`,
      JSON.stringify({ key: KEY }),
      Buffer.from(KEY).toString("base64"),
      Buffer.from(`user:${KEY}`).toString("base64"),
      Buffer.from(`us:${KEY}:x`).toString("base64url"),
    ];
    for (const text of texts) expect(redactKey(text)).toContain("[redacted]");
    expect(redactKey(`key is ${KEY}.`)).toBe("key is [redacted].");
  });

  it("finds the base64 form at every offset", () => {
    const redactKey = createRedactor([new Secret(KEY)]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }), (before, after) => {
        const encoded = Buffer.concat([before, Buffer.from(KEY), after]).toString("base64");
        expect(redactKey(encoded)).toContain("[redacted]");
      }),
    );
  });

  it("replaces any given secret in any text around it", () => {
    const secret = fc.string({ minLength: 8, maxLength: 40 });
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
        expect(redact(before + value + after, [new Secret(value)])).toContain("[redacted]");
      }),
    );
  });

  it("finds a secret whose characters are escaped, wherever JSON allows it, and keeps what stands around it", () => {
    const redactKey = createRedactor([new Secret("CANARY2/ab+cd=")]);
    const units = String.raw`\u0043\u0041\u004e\u0041\u0052\u0059\u0032\u002F\u0061\u0062\u002b\u0063\u0064\u003d`;
    for (const form of [String.raw`CANARY2\/ab+cd=`, units, String.raw`CANARY2\u002fab+cd\u003D`]) {
      expect(redactKey(String.raw`{"a":"\u00e9 C:\users ${form}\n\/"}`)).toBe(
        String.raw`{"a":"\u00e9 C:\users [redacted]\n\/"}`,
      );
      const within = JSON.stringify({ raw: JSON.stringify({ raw: `{"key":"${form}"}` }) });
      const clean = redactKey(within);
      expect(JSON.parse(JSON.parse(JSON.parse(clean).raw).raw).key).toBe("[redacted]");
    }
  });

  it("leaves a text with escapes and without a secret as it is", () => {
    const redactKey = createRedactor([new Secret(KEY)]);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("\\", "u", "0", "4", "/", '"', "n", "x") }), (text) => {
        expect(redactKey(text)).toBe(text);
      }),
    );
  });

  it("replaces what looks like a well-known key", () => {
    const shapes = [
      "sk-ant-api03-AbC_dEf-123456",
      "sk-proj-abcdefghijklmnop",
      `AIza${"x".repeat(35)}`,
      "lt_0123456789abcdef0123",
      "lk_0123456789abcdef0123456789abcdef0123456789aBCDEFGH",
    ];
    for (const shape of shapes) expect(redact(`a ${shape} b`)).toBe("a [redacted] b");
    expect(redact("Authorization: Bearer abc.def-ghi==")).toBe("Authorization: Bearer [redacted]");
  });

  it("leaves ordinary text alone", () => {
    const text = "The task-list says: desk-top, result_value, bearer of news, sk-1.";
    expect(redact(text, [new Secret("none")])).toBe(text);
  });
});
