import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import type { ChainEnd } from "./chain-store.ts";

/**
 * Where the chain ended not long ago, outside of the database: whoever cuts rows off its end, or restores an older one,
 * has to get at this file, too. Only ends that are on the database's disk may be kept.
 */
export async function keepChainEnd(file: string, { seq, hash }: ChainEnd): Promise<void> {
  const temporary = `${file}.tmp`;
  await writeFile(temporary, `${JSON.stringify({ seq, hash })}\n`, { mode: 0o600 });
  await rename(temporary, file);
}

/** `undefined` where there is none, or none that can be read. */
export function readChainEnd(file: string): ChainEnd | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isChainEnd(value) ? { seq: value.seq, hash: value.hash } : undefined;
  } catch {
    return undefined;
  }
}

function isChainEnd(value: unknown): value is ChainEnd {
  return (
    typeof value === "object" &&
    value !== null &&
    "seq" in value &&
    typeof value.seq === "number" &&
    "hash" in value &&
    typeof value.hash === "string"
  );
}
