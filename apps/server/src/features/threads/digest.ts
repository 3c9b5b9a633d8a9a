import { hash } from "node:crypto";

/** The digest of a thread that has no record yet. */
export const NO_DIGEST = "";

/** The chain of digests with one more record: `sha256hex(before + "\n" + record)`. */
export function nextDigest(before: string, record: string): string {
  return hash("sha256", `${before}\n${record}`);
}

export function digestOver(before: string, records: readonly string[]): string {
  return records.reduce(nextDigest, before);
}
