import { hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** So many bytes in front of the place are looked at, or as many as there are. */
export const ANCHOR_BYTES = 512;

/**
 * Fingerprint of the bytes in front of a place in a file. Where it is still the same, what was derived from the file up
 * to that place is taken to hold: threads only grow at their end.
 */
export function anchorAt(file: string, position: number): string {
  const length = Math.min(position, ANCHOR_BYTES);
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(file, "r");
  try {
    const read = readSync(descriptor, bytes, 0, length, position - length);
    return anchorOfBytes(bytes.subarray(0, read));
  } finally {
    closeSync(descriptor);
  }
}

/** The same, of bytes that are at hand. */
export function anchorOfBytes(bytes: Uint8Array): string {
  return hash("sha256", bytes).slice(0, 16);
}
