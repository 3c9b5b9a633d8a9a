/**
 * In tokens: what no provider takes a picture for more than, however many bytes it has. It is made smaller there, and counts by
 * its pixels. https://platform.openai.com/docs/guides/images-vision, https://docs.claude.com/en/docs/build-with-claude/vision,
 * https://ai.google.dev/gemini-api/docs/tokens
 */
const PICTURE_TOKENS = 10_000;

/** Of a usual text; good enough for a limit, and a tokenizer would hold up every other request. */
export const BYTES_PER_TOKEN = 4;

const PICTURE_BYTES = PICTURE_TOKENS * BYTES_PER_TOKEN;
/** No picture of those that count is shorter, so that each is met by looking in such steps. */
const STEP = 16 * 1024;
/** So many letters of base64 in a row are no text, mostly; the rest is asked for where they are. */
const RUN = 48;

/** The size of a client's body by which its prompt counts: in bytes, with its pictures for no more than pictures count. */
export function sizeOfPrompt(body: Buffer): number {
  let size = body.length;
  for (let at = STEP; at < body.length; at += STEP) {
    if (!isBase64(body, at)) continue;
    const end = body.indexOf(QUOTE, at);
    if (end === -1) break;
    // It is a string of its own, or the end of a `data:` address.
    const start = 1 + Math.max(body.lastIndexOf(QUOTE, at), body.lastIndexOf(COMMA, at));
    const bytes = body.subarray(start, end);
    if (bytes.length > PICTURE_BYTES && isPicture(bytes)) size -= bytes.length - PICTURE_BYTES;
    at = end;
  }
  return size;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const SPACE = 0x20;
const BACKSLASH = 0x5c;

function isBase64(bytes: Buffer, at: number): boolean {
  const end = Math.min(at + RUN, bytes.length);
  for (let index = at; index < end; index += 1) if (LETTERS[bytes[index] ?? 0] !== 1) return false;
  return true;
}

const LETTERS = new Uint8Array(256);
for (const letter of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
  LETTERS[letter] = 1;

/** By how it begins, as PNG, JPEG, GIF or WebP, and by what text would have in it. */
function isPicture(bytes: Buffer): boolean {
  if (!PICTURE.test(bytes.toString("latin1", 0, 16)) || bytes.includes(SPACE) || bytes.includes(BACKSLASH))
    return false;
  for (let at = 0; at < bytes.length; at += STEP) if (!isBase64(bytes, at)) return false;
  return true;
}

const PICTURE = /^(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR.{7}RUJQ)/;
