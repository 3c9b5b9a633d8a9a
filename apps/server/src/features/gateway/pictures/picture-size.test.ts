import { expect, test } from "vitest";
import { pictureSize } from "./picture-size.ts";

function png(width: number, height: number, chunk = "IHDR"): Buffer {
  const bytes = Buffer.alloc(33);
  bytes.write("\x89PNG\r\n\x1a\n", "latin1");
  bytes.writeUInt32BE(13, 8);
  bytes.write(chunk, 12, "latin1");
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

function segment(marker: number, content: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + content.length);
  bytes.writeUInt16BE(0xff00 | marker, 0);
  bytes.writeUInt16BE(2 + content.length, 2);
  content.copy(bytes, 4);
  return bytes;
}

function frame(width: number, height: number, marker = 0xc0): Buffer {
  const content = Buffer.from([8, 0, 0, 0, 0, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
  content.writeUInt16BE(height, 1);
  content.writeUInt16BE(width, 3);
  return segment(marker, content);
}

const START = Buffer.from([0xff, 0xd8]);
const NOTES = [
  segment(0xe0, Buffer.from("JFIF\0")),
  segment(0xe1, Buffer.alloc(20_000)),
  segment(0xdb, Buffer.alloc(65)),
];
const jpeg = (...segments: readonly Buffer[]) => Buffer.concat([START, ...segments]);

test("a PNG says its size first", () => {
  expect(pictureSize("png", png(1_920, 1_080))).toEqual({ width: 1_920, height: 1_080 });
  expect(pictureSize("png", png(1, 1, "IDAT"))).toBeUndefined();
  expect(pictureSize("png", png(0, 1))).toBeUndefined();
  expect(pictureSize("png", png(1, 1).subarray(0, 20))).toBeUndefined();
});

test.each([0xc0, 0xc1, 0xc2])("a JPEG says its size in its frame (%i), behind tables and notes", (marker) => {
  expect(pictureSize("jpeg", jpeg(...NOTES, frame(640, 480, marker)))).toEqual({ width: 640, height: 480 });
});

test("a JPEG with something else in front, or without its height, says nothing", () => {
  const scan = segment(0xda, Buffer.alloc(10));
  for (const bytes of [
    jpeg(...NOTES),
    jpeg(scan, frame(640, 480)),
    jpeg(Buffer.from([0]), frame(640, 480)),
    jpeg(segment(0xc3, Buffer.alloc(15)), frame(640, 480)),
    jpeg(frame(640, 0)),
    jpeg(frame(640, 480)).subarray(0, 8),
    START,
  ]) {
    expect(pictureSize("jpeg", bytes)).toBeUndefined();
  }
});

test("a JPEG's own size counts, and not that of a smaller picture in its notes", () => {
  const thumbnail = segment(0xe1, jpeg(frame(16, 16)));
  expect(pictureSize("jpeg", jpeg(thumbnail, frame(640, 480)))).toEqual({ width: 640, height: 480 });
});

test("what GIF and WebP say is not looked at", () => {
  expect(pictureSize("gif", png(1, 1))).toBeUndefined();
  expect(pictureSize("webp", png(1, 1))).toBeUndefined();
});
