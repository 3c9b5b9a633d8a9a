import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Secret } from "@loom/config";
import type { Database } from "../../kit/database.ts";
import { writePrivateFile } from "../../kit/private-file.ts";
import { type ChainSeal, createChainSeal } from "./chain-seal.ts";

const FILE = "audit-key";
const KEY_BYTES = 32;

/**
 * The key that the operator gave; else, beside a SQLite file, one of its own in the data directory. Servers on PostgreSQL
 * share a chain and no directory: without a given key, its ends are not signed.
 */
export function sealFor(
  { engine }: Pick<Database, "engine">,
  {
    key,
    directory,
    mayMake,
  }: { readonly key: Secret | undefined; readonly directory: string; readonly mayMake: boolean },
): ChainSeal | undefined {
  if (key !== undefined) return createChainSeal(Buffer.from(key.expose(), "base64"));
  if (engine !== "sqlite") return undefined;
  const file = join(directory, FILE);
  if (!existsSync(file)) {
    if (!mayMake) return undefined;
    writePrivateFile(file, `${randomBytes(KEY_BYTES).toString("base64")}\n`, { ifMissing: true });
  }
  return createChainSeal(Buffer.from(readFileSync(file, "utf8").trim(), "base64"));
}
