import { expect, test } from "vitest";
import { qrCode } from "./qr-code.ts";
import { readQrCode } from "./qr-reader.testing.ts";
import { mintTotpSecret, totpAddress } from "./totp.ts";

/** Pixels of a module. */
const SCALE = 4;

/** What a camera sees of the drawing. */
function seen(svg: string): { readonly data: Uint8ClampedArray; readonly size: number } {
  const modules = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1]);
  const size = modules * SCALE;
  const data = new Uint8ClampedArray(size * size * 4).fill(255);
  for (const [, x, y, length] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
    for (let row = Number(y) * SCALE; row < (Number(y) + 1) * SCALE; row += 1) {
      for (let column = Number(x) * SCALE; column < (Number(x) + Number(length)) * SCALE; column += 1) {
        data.fill(0, (row * size + column) * 4, (row * size + column) * 4 + 3);
      }
    }
  }
  return { data, size };
}

test.each(["ada", "Ada Lovelace & <Sons>", "a".repeat(39)])("a camera reads the address of %s's app", (account) => {
  const address = totpAddress(mintTotpSecret(), account);
  const { data, size } = seen(qrCode(address, "Scan me").text);
  expect(readQrCode(data, size)).toBe(address);
});

test("its label is escaped, and it holds nothing that a page's policy forbids", () => {
  const { text } = qrCode("x", '"><script>');
  expect(text).toContain('aria-label="&quot;&gt;&lt;script&gt;"');
  expect(text).not.toMatch(/<script|style=|href|url\(/);
});
