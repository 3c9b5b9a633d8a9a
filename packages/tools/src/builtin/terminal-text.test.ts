import fc from "fast-check";
import { expect, test } from "vitest";
import { terminalText, wholeCharacters } from "./terminal-text.ts";

test.each([
  ["colours", "\u001b[1;31mred\u001b[0m", "red"],
  ["titles and links", "\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\b\u001b]8;;\u001b\\", "ab"],
  ["cursor movements", "a\u001b[2K\u001b[1Gb\u001b(B\u001b7\u001bM", "ab"],
  ["a progress line", "1%\r50%\r100%\ndone\r\n", "100%\ndone\n"],
  ["a progress line that is not finished", "1%\r50%\r", "50%"],
  ["Windows line breaks", "a\r\nb\r\r\n", "a\nb\n"],
  ["other control characters", "a\u0000\u0001\u0002b\u0008\tc", "a\ufffdb\ufffd\tc"],
  ["a string that never ends", "\u001b]0;abc", "0;abc"],
])("%s", (_, output, text) => {
  expect(terminalText(Buffer.from(output))).toBe(text);
});

test("bytes that are no UTF-8 become one replacement for each run", () => {
  expect(terminalText(Buffer.from([0x61, 0xff, 0xfe, 0x00, 0x62, 0xc3]))).toBe("a\ufffdb\ufffd");
});

test("ordinary text is not touched", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      fc.pre(!/[\p{Cc}\ufffd]|^\ufeff/u.test(text));
      expect(terminalText(Buffer.from(text))).toBe(text);
    }),
  );
});

test("whatever the bytes are, no control character is left and the text is bounded", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc.constantFrom("\u001b[", "\u001b]", "\r", "\n", ";1m").map((s) => Buffer.from(s)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const bytes = Buffer.concat(pieces);
      const text = terminalText(bytes);
      expect(text).not.toMatch(/[^\P{Cc}\t\n]/u);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(3 * bytes.length);
    }),
  );
});

test("a cut through characters leaves whole ones", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(), fc.nat(), (text, a, b) => {
      const bytes = Buffer.from(text);
      const from = bytes.length === 0 ? 0 : a % bytes.length;
      const cut = wholeCharacters(bytes.subarray(from, from + (b % (bytes.length + 1))));
      expect(Buffer.from(cut).toString()).toBe(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(cut));
      expect(text).toContain(Buffer.from(cut).toString());
    }),
  );
});
