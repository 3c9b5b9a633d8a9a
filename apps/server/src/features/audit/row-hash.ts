import { hash } from "node:crypto";
import type { AuditRow } from "./migrations.ts";

/** What the first row of a chain has in place of its predecessor's hash. */
export const NO_HASH = "0".repeat(64);

/** Goes into each hash, so that the form can change one day without a doubt which one was meant. */
const FORM = "loom-audit-1";

/**
 * The hash of a row at this place of the chain. `json`: all its other columns as a JSON array, as in `Recorded`; no second
 * one is made of them.
 */
export function hashAt({ seq, previousHash }: { readonly seq: number; readonly previousHash: string }, json: string) {
  const place = JSON.stringify([FORM, seq, previousHash]);
  return hash("sha256", `${place.slice(0, -1)},${json.slice(1)}`, "hex");
}

/**
 * SHA-256, hexadecimal, over the canonical form of a row: a JSON array (RFC 8259, no spaces, UTF-8) of the form's name
 * and all columns but `hash`, in the order below, null where there is nothing.
 */
export function hashOfRow(row: Omit<AuditRow, "hash">): string {
  const form = [
    FORM,
    row.seq,
    row.previous_hash,
    row.id,
    row.at_ms,
    row.event,
    row.family,
    row.severity,
    row.outcome,
    row.actor_type,
    row.actor_id,
    row.actor_name,
    row.via,
    row.impersonator_id,
    row.impersonator_name,
    row.target_type,
    row.target_id,
    row.target_name,
    row.organization,
    row.address,
    row.place,
    row.request_id,
    row.user_agent,
    row.policy,
    row.facts,
  ];
  return hash("sha256", JSON.stringify(form), "hex");
}
