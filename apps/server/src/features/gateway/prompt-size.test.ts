import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sizeOfPrompt } from "./prompt-size.ts";

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d];
const JPEG = [0xff, 0xd8, 0xff, 0xe0, 0, 0x10];
const GIF = [...Buffer.from("GIF89a")];
const WEBP = [...Buffer.from("RIFF"), 0x10, 0x20, 0x30, 0, ...Buffer.from("WEBP")];
const WAV = [...Buffer.from("RIFF"), 0x10, 0x20, 0x30, 0, ...Buffer.from("WAVE")];
const PDF = [...Buffer.from("%PDF-1.7")];

const MEGABYTE = 1024 * 1024;
/** What a picture counts for. */
const PICTURE = 40_000;

const file = (magic: readonly number[], bytes: number): string =>
  Buffer.concat([Buffer.from(magic), randomBytes(bytes - magic.length)]).toString("base64");

const said = {
  anthropic: (data: string) => ({ type: "image", source: { type: "base64", media_type: "image/png", data } }),
  chat: (data: string) => ({ type: "image_url", image_url: { url: `data:image/png;base64,${data}` } }),
  gemini: (data: string) => ({ inlineData: { mimeType: "image/png", data } }),
};
const bodyOf = (...parts: readonly unknown[]): Buffer => Buffer.from(JSON.stringify({ messages: [parts] }));

describe("the size of a prompt", () => {
  test.each(Object.entries(said))("counts pictures as pictures in the words of %s", (_, say) => {
    for (const magic of [PNG, JPEG, GIF, WEBP]) {
      const pictures = [file(magic, MEGABYTE), file(magic, 3 * MEGABYTE), file(magic, 100_000)];
      const without = bodyOf(...pictures.map(() => say("")), { type: "text", text: "What is it?" });
      const body = bodyOf(...pictures.map((data) => say(data)), { type: "text", text: "What is it?" });
      expect(sizeOfPrompt(body)).toBe(without.length + 3 * PICTURE);
    }
  });

  test("counts everything else by its bytes", () => {
    const whole = (body: Buffer): void => expect(sizeOfPrompt(body)).toBe(body.length);
    whole(Buffer.from("{}"));
    whole(bodyOf("lorem ipsum ".repeat(100_000)));
    whole(bodyOf("x".repeat(MEGABYTE)));
    for (const magic of [WAV, PDF]) whole(bodyOf(said.anthropic(file(magic, MEGABYTE))));
    whole(bodyOf(said.anthropic(file(PNG, 20_000))));
    // Text that begins like a picture is none.
    whole(bodyOf(`iVBORw0KGgo${"text and more ".repeat(100_000)}`));
    whole(bodyOf(`iVBORw0KGgo${"a".repeat(MEGABYTE)} `));
    whole(bodyOf(`iVBORw0KGgo${"文".repeat(MEGABYTE)}`));
    whole(Buffer.from(`{"x":"iVBORw0KGgo${"a".repeat(MEGABYTE)}`));
  });

  test("is never more than the bytes, and never nothing", () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom(PNG, WAV).chain((magic) => fc.integer({ min: 20, max: 200_000 }).map((n) => file(magic, n))),
      fc.integer({ min: 0, max: 50_000 }).map((n) => "word, ".repeat(n)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const body = bodyOf(...parts);
        const size = sizeOfPrompt(body);
        return size > 0 && size <= body.length;
      }),
      { numRuns: 50 },
    );
  });
});
