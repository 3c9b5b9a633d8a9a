import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quote } from "./quote.ts";

describe("a quote", () => {
  test.each([
    ["an OpenAI key", "sk-proj-Ab1_Cd2-Ef3Gh4"],
    ["an OpenAI key that is half hidden", "sk-abc***********wxyz"],
    ["an Anthropic key", "sk-ant-api03-AbCdEf_123-xyz"],
    ["a key of a small server", "key-hunter2-abc"],
    ["a Google key", "AIzaSyA1234567890abcdefghijk"],
    ["a Groq key", "gsk_abcdefgh12345678"],
    ["a JSON web token", "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl"],
    ["a long token", "0123456789abcdef0123456789abcdef"],
    ["base64", `${"aB+/".repeat(12)}==`],
  ])("hides %s", (_name, key) => {
    expect(quote(`The key ${key} is wrong`)).toBe("The key [key] is wrong");
    expect(quote(`key='${key}', sorry`)).not.toContain(key.slice(4));
  });

  test("hides what is said to be a key, whatever it looks like", () => {
    expect(quote("Authorization: Bearer hunter2")).toBe("Authorization: [key]");
    expect(quote("Incorrect API key provided: hunter2.")).not.toContain("hunter2");
    expect(quote('{"api_key":"hunter2","a":1}')).not.toContain("hunter2");
  });

  test("leaves ordinary words alone", () => {
    const words =
      "model: claude-3-5-sonnet-20241022 not found (request_id req_011CSHoEeqs5C35K2UUqR7Fy), task-based, token-limits, key-value-pairs";
    expect(quote(words)).toBe(words);
    expect(quote("prompt is too long: 210000 tokens > 200000 maximum")).toBe(
      "prompt is too long: 210000 tokens > 200000 maximum",
    );
  });

  test("is one bounded line of well-formed text, without control characters", () => {
    expect(quote(" a\r\n\tb\u0000\u001b[31mc\u202Ed\u2028e ")).toBe("a b [31mc d e");
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => {
        const quoted = quote(text);
        expect(quoted.length).toBeLessThanOrEqual(200);
        expect(quoted).toBe(quoted.toWellFormed());
        expect(quoted).not.toMatch(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/u);
      }),
    );
  });

  test("of bytes that are no text is short or nothing", () => {
    const bytes = Uint8Array.from({ length: 2_000 }, (_, index) => (index * 7919) % 256);
    expect(quote(new TextDecoder().decode(bytes))).toBe("");
    expect(quote(new TextDecoder().decode(Uint8Array.of(31, 139, 8, 0, 0, 0, 0, 255, 254)))).toBe("");
    expect(quote(`Bad value for "prompt": ${"\ufffd\ufffd\u0000\ufffd"} is not UTF-8, says the server`)).toBe(
      'Bad value for "prompt": \ufffd is not UTF-8, says the server',
    );
    expect(quote("地址错误 🙂 é")).toBe("地址错误 🙂 é");
  });

  test("of a huge text is quick", () => {
    expect(quote("x ".repeat(5_000_000))).toHaveLength(200);
    expect(quote("a".repeat(10_000_000))).toBe("[key]");
  });
});
