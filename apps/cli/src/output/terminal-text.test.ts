import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { terminalLine, terminalText } from "./terminal-text.ts";

describe("terminalText", () => {
  it("keeps ordinary text of any script, tabs and newlines", () => {
    const text = "a\tb\nζ 漢字 👩‍👩‍👧 é\u0301 — …";
    expect(terminalText(text)).toBe(text);
  });

  it("takes the teeth out of escape sequences", () => {
    expect(terminalText("\u001b]0;title\u0007\u001b[2Jred\u009b31m")).toBe("]0;title[2Jred31m");
    expect(terminalText("over\rwritten\r\nnext\b\u007f")).toBe("overwritten\nnext");
  });

  it("shows bidirectional controls instead of obeying them", () => {
    expect(terminalText("if \u202eadmin\u2066")).toBe("if ‹U+202E›admin‹U+2066›");
  });

  it("lets no control character through, however a text is cut", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.nat(0x2100).map((code) => String.fromCharCode(code)) }),
        fc.nat(),
        (text, at) => {
          const cut = at % (text.length + 1);
          const shown = terminalText(text.slice(0, cut)) + terminalText(text.slice(cut));
          expect(shown).not.toMatch(/[\p{Cc}--[\t\n]]|[\u202a-\u202e\u2066-\u2069]/v);
        },
      ),
    );
  });
});

describe("terminalLine", () => {
  it("makes one short line of any text", () => {
    expect(terminalLine("  a\n\n b\u001b[1m ", 80)).toBe("a b[1m");
    expect(terminalLine("😀".repeat(10), 5)).toBe("😀😀😀😀…");
  });
});
