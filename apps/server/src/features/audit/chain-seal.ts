import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { AuditChainRow } from "./migrations.ts";

/** Signs where the chain begins and ends, so that who can write to the database alone cannot cut it unseen. */
export type ChainSeal = {
  /** Tells keys apart; says nothing about them. */
  readonly keyId: string;
  sign(ends: ChainEnds): string;
};

export type ChainEnds = Pick<AuditChainRow, "head_seq" | "head_hash" | "anchor_seq" | "anchor_hash">;

/** `key`: 32 bytes that servers on one database share and the database does not hold. */
export function createChainSeal(key: Uint8Array): ChainSeal {
  const own = Buffer.from(hkdfSync("sha256", key, "", "loom audit chain", 32));
  const keyId = createHmac("sha256", own).update("key id").digest("hex").slice(0, 16);
  return {
    keyId,
    sign: ({ head_seq, head_hash, anchor_seq, anchor_hash }) =>
      createHmac("sha256", own)
        .update(JSON.stringify(["loom-audit-chain-1", head_seq, head_hash, anchor_seq, anchor_hash]))
        .digest("hex"),
  };
}

export function isSealedBy(seal: ChainSeal, row: AuditChainRow): boolean {
  const [expected, actual] = [Buffer.from(seal.sign(row)), Buffer.from(row.signature ?? "")];
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
