import { createHash } from "node:crypto";

/** Of no record at all. */
export const NO_RECORDS = "";

/** The digest of a thread with one more record: SHA-256, hex, of the digest before it, a newline and the record. */
export function addToDigest(digest: string, record: Uint8Array | string): string {
  return createHash("sha256").update(digest).update("\n").update(record).digest("hex");
}
