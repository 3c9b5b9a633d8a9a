import type { PictureTraits } from "@loom/llm";
import { pictureSize } from "./picture-size.ts";

/** In a prompt, and where its base64 begins and ends. */
export type Picture = PictureTraits & { readonly from: number; readonly to: number };

const NONE: readonly Picture[] = [];

/** Of a prompt that has none. */
export const noPictures = (): readonly Picture[] => NONE;

/** In bytes of base64. What is smaller costs about as much as its size says, or less. */
export const LEAST_PICTURE = 16 * 1024;

/** How often a body is looked at, so that a picture that counts is met. */
const STEP = LEAST_PICTURE / 2;
/** So many letters of base64 in a row are seldom text. */
const RUN = 32;

/** Whether there may be a picture at all: most bodies have none, and this costs less than to look where they would stand. */
export function mayHoldPicture(bytes: Buffer): boolean {
  for (let at = STEP; at < bytes.length; at += STEP) if (isRun(bytes, at)) return true;
  return false;
}

function isRun(bytes: Buffer, start: number): boolean {
  for (let at = start; at < start + RUN; at += 1) if (LETTERS[bytes[at] ?? 0] !== 1) return false;
  return true;
}

const LETTERS = new Uint8Array(256);
for (const letter of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"))
  LETTERS[letter] = 1;

/** The types that every maker of models takes; no SVG, which is text. */
const TYPES = "image/(?:png|jpe?g|gif|webp)";
const TYPE = new RegExp(`^${TYPES}$`);
const DATA_URL = new RegExp(`^data:${TYPES};base64,`);

export function isPictureType(text: string): boolean {
  return TYPE.test(text);
}

/** Where the base64 of a `data:` address begins, if it is one of a picture. */
export function dataOfUrl(bytes: Buffer, from: number): number | undefined {
  const prefix = DATA_URL.exec(bytes.toString("latin1", from, from + 32))?.[0];
  return prefix === undefined ? undefined : from + prefix.length;
}

/** What stands from `from` to `to`, if all of that is base64, it begins as a picture does and is large enough to count. */
export function pictureIn(bytes: Buffer, from: number, to: number): Picture | undefined {
  if (to - from < LEAST_PICTURE) return undefined;
  const head = Buffer.from(bytes.toString("latin1", from, Math.min(from + HEAD, to)), "base64");
  const kind = kindOf(head.toString("latin1", 0, MAGIC));
  if (kind === undefined || !isBase64(bytes, from, to)) return undefined;
  return { kind, size: pictureSize(kind, head), from, to };
}

/** In letters of base64: what is looked at for the size, which stands behind the notes that cameras and editors leave. */
const HEAD = 64 * 1024;
/** In bytes. */
const MAGIC = 16;

function kindOf(head: string): PictureTraits["kind"] | undefined {
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (head.startsWith("\xff\xd8\xff")) return "jpeg";
  if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) return "gif";
  return head.startsWith("RIFF") && head.startsWith("WEBP", 8) ? "webp" : undefined;
}

const EQUALS = 0x3d;
/** Letters that are looked at in one go, and the bytes that they stand for. */
const STRETCH = 64 * 1024;
const scratch = Buffer.alloc((STRETCH / 4) * 3);

/** In either alphabet. Node decodes many times as fast as a loop looks, and leaves out what is no letter, so that less comes of it. */
function isBase64(bytes: Buffer, from: number, to: number): boolean {
  let end = to;
  while (end > to - 2 && bytes[end - 1] === EQUALS) end -= 1;
  for (let at = from; at < end; at += STRETCH) {
    const length = Math.min(STRETCH, end - at);
    if (scratch.write(bytes.toString("latin1", at, at + length), "base64") !== Math.floor((length * 3) / 4))
      return false;
  }
  return (end - from) % 4 !== 1;
}
