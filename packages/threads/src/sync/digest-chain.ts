import { hash } from "node:crypto";

/** Of no record at all. */
export const NO_RECORDS = "";

/** The digest of a thread with one more record: SHA-256, hex, of the digest before it, a newline and the record. */
export function addToDigest(digest: string, record: string): string {
  return hash("sha256", `${digest}\n${record}`);
}
