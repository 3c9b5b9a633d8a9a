import type { JsonObject } from "@loom/core";
import { type AuditEntry, familyOf } from "./audit-entry.ts";
import type { AuditRow } from "./migrations.ts";
import { hashOfRow } from "./row-hash.ts";

/** All of a row. */
export const AUDIT_COLUMNS = [
  ...["seq", "id", "at_ms", "event", "family", "severity", "outcome"],
  ...["actor_type", "actor_id", "actor_name", "via", "impersonator_id", "impersonator_name"],
  ...["target_type", "target_id", "target_name", "organization", "address", "place"],
  ...["request_id", "user_agent", "policy", "facts", "previous_hash", "hash"],
];

/** The entry as a row behind the row with this number and hash. */
export function rowBehind(previous: { readonly seq: number; readonly hash: string }, entry: AuditEntry): AuditRow {
  const { actor, target } = entry;
  const row = {
    seq: previous.seq + 1,
    id: entry.id,
    at_ms: entry.at,
    event: entry.event,
    family: familyOf(entry.event),
    severity: entry.severity,
    outcome: entry.outcome,
    actor_type: actor.type,
    actor_id: actor.id,
    actor_name: actor.name,
    via: actor.via === undefined ? null : `${actor.via.type}:${actor.via.id}`,
    impersonator_id: actor.impersonator?.id ?? null,
    impersonator_name: actor.impersonator?.name ?? null,
    target_type: target?.type ?? null,
    target_id: target?.id ?? null,
    target_name: target?.name ?? null,
    organization: entry.organization ?? null,
    address: entry.address ?? null,
    place: entry.place ?? null,
    request_id: entry.requestId ?? null,
    user_agent: entry.userAgent ?? null,
    policy: entry.policy ?? null,
    facts: factsOf(entry),
    previous_hash: previous.hash,
  };
  return { ...row, hash: hashOfRow(row) };
}

function factsOf({ before, after, details }: AuditEntry): string | null {
  if (before === undefined && after === undefined && details === undefined) return null;
  return JSON.stringify({ before, after, details });
}

export type KeptFacts = {
  readonly before?: JsonObject;
  readonly after?: JsonObject;
  readonly details?: JsonObject;
};

/** What `facts` of a row says; nothing where somebody has put something else there. */
export function readFacts(facts: string | null): KeptFacts {
  if (facts === null) return {};
  try {
    const value: unknown = JSON.parse(facts);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
