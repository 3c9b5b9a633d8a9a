import { hash } from "node:crypto";

const DIGITS = 16;

/** Digest of a step for the log: the first 64 bits of SHA-256 (FIPS 180-4), as hexadecimal digits. */
export function stepDigest(text: string): string {
  return hash("sha256", text).slice(0, DIGITS);
}
