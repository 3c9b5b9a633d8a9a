import type { PictureTraits } from "@loom/llm";

/**
 * The pixels of a picture by its first bytes; `undefined` where they do not say so in a way that every reader takes for the
 * same, as those of GIF and WebP may not.
 */
export function pictureSize(kind: PictureTraits["kind"], bytes: Buffer): PictureTraits["size"] {
  if (kind === "png") return sizeOfPng(bytes);
  return kind === "jpeg" ? sizeOfJpeg(bytes) : undefined;
}

/** https://www.w3.org/TR/png-3/#11IHDR: the first chunk. */
function sizeOfPng(bytes: Buffer): PictureTraits["size"] {
  if (bytes.length < 24 || bytes.toString("latin1", 12, 16) !== "IHDR") return undefined;
  return given(bytes.readUInt32BE(16), bytes.readUInt32BE(20));
}

/** https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.2: segments, one of which has the frame; none may come before it but tables and notes. */
function sizeOfJpeg(bytes: Buffer): PictureTraits["size"] {
  for (let at = 2; at + 9 <= bytes.length; ) {
    const marker = bytes[at + 1] ?? 0;
    if (bytes[at] !== 0xff) return undefined;
    if (FRAMES.has(marker)) return given(bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5));
    if (!isNote(marker)) return undefined;
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}

/** Baseline, extended and progressive. */
const FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2]);

/** Tables (DHT, DQT, DRI), notes of programs (APPn) and comments. */
function isNote(marker: number): boolean {
  return marker === 0xc4 || marker === 0xdb || marker === 0xdd || marker === 0xfe || (marker >= 0xe0 && marker <= 0xef);
}

/** A height of 0 is told later, in a JPEG. */
function given(width: number, height: number): PictureTraits["size"] {
  return width > 0 && height > 0 ? { width, height } : undefined;
}
