import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const PREFIX = "lk_";
const KEY_BYTES = 32;
/** `lk_`, 256 random bits, and a checksum of both. */
const KEY_SHAPE = /^lk_[A-Za-z0-9_-]{49}$/;
const CHECKSUM_LENGTH = 6;

export function mintKey(): string {
  const key = PREFIX + randomBytes(KEY_BYTES).toString("base64url");
  return key + checksumOf(key);
}

export function looksLikeKey(text: string): boolean {
  return KEY_SHAPE.test(text);
}

/**
 * Whether it can be a key of some Loom server at all: one that was cut off, mistyped or made up is known for that without
 * a look into a database, by us and by scanners for secrets.
 */
export function isWellFormedKey(text: string): boolean {
  return looksLikeKey(text) && checksumOf(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
}

/** CRC-32 (as in ISO 3309), big-endian, in base64url: it guards against mistakes, not against attackers. */
function checksumOf(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString("base64url");
}
