import { type AuditEntry, familyOf } from "./audit-entry.ts";
import { factsOf, readFacts } from "./facts.ts";
import type { AuditRow } from "./migrations.ts";

/** All of a row but its place in the chain, in the order in which its hash has them. */
export const RECORDED_COLUMNS = [
  ...(["id", "at_ms", "event", "family", "severity", "outcome", "actor_type", "actor_id", "actor_name"] as const),
  ...(["via", "impersonator_id", "impersonator_name", "target_type", "target_id", "target_name"] as const),
  ...(["organization", "address", "place", "request_id", "user_agent", "policy", "facts"] as const),
] satisfies (keyof AuditRow)[];

type RecordedRow = Pick<AuditRow, (typeof RECORDED_COLUMNS)[number]>;

/**
 * An event in the form in which it is kept: all of its row but its place in the chain. Made once, it is the journal's line,
 * what the hash is made of, and what goes to the database.
 */
export type Recorded = {
  readonly entry: AuditEntry;
  /** As `RECORDED_COLUMNS`. */
  readonly values: readonly (string | number | null)[];
  /** `values` as a JSON array. */
  readonly json: string;
};

export function recordedOf(entry: AuditEntry): Recorded {
  const { actor, target } = entry;
  const values = [
    entry.id,
    entry.at,
    entry.event,
    familyOf(entry.event),
    entry.severity,
    entry.outcome,
    actor.type,
    actor.id,
    actor.name,
    actor.via === undefined ? null : `${actor.via.type}:${actor.via.id}`,
    actor.impersonator?.id ?? null,
    actor.impersonator?.name ?? null,
    target?.type ?? null,
    target?.id ?? null,
    target?.name ?? null,
    entry.organization ?? null,
    entry.address ?? null,
    entry.place ?? null,
    entry.requestId ?? null,
    entry.userAgent ?? null,
    entry.policy ?? null,
    factsOf(entry),
  ];
  return { entry, values, json: JSON.stringify(values) };
}

/** What a line of the journal says, without its newline; `undefined` for what is none of ours. */
export function recordedOfLine(line: string): Recorded | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (isValues(value)) return recordedOf(entryOfValues(value));
  return isEntry(value) ? recordedOf(value) : undefined;
}

/** Our own lines are whole or torn; this tells them from what else may be in a file of that name. */
function isValues(value: unknown): value is Recorded["values"] {
  return (
    Array.isArray(value) &&
    value.length === RECORDED_COLUMNS.length &&
    value.every((each, index) => {
      if (index === AT) return typeof each === "number";
      return typeof each === "string" || (each === null && index > LAST_NEEDED);
    })
  );
}

const AT = RECORDED_COLUMNS.indexOf("at_ms");
const LAST_NEEDED = RECORDED_COLUMNS.indexOf("actor_name");

function entryOfValues(values: Recorded["values"]): AuditEntry {
  const row = Object.fromEntries(RECORDED_COLUMNS.map((column, index) => [column, values[index]])) as RecordedRow;
  const via = row.via?.split(/:(.*)/s);
  return {
    id: row.id,
    at: row.at_ms,
    event: row.event,
    severity: row.severity as AuditEntry["severity"],
    outcome: row.outcome as AuditEntry["outcome"],
    actor: {
      type: row.actor_type as AuditEntry["actor"]["type"],
      id: row.actor_id,
      name: row.actor_name,
      ...(via && { via: { type: via[0] as "session" | "key", id: via[1] ?? "" } }),
      ...(row.impersonator_id !== null && {
        impersonator: { id: row.impersonator_id, name: row.impersonator_name ?? "" },
      }),
    },
    ...(row.target_type !== null && {
      target: {
        type: row.target_type,
        id: row.target_id ?? "",
        ...(row.target_name !== null && { name: row.target_name }),
      },
    }),
    ...(row.organization !== null && { organization: row.organization }),
    ...(row.address !== null && { address: row.address }),
    ...(row.place !== null && { place: row.place }),
    ...(row.request_id !== null && { requestId: row.request_id }),
    ...(row.user_agent !== null && { userAgent: row.user_agent }),
    ...(row.policy !== null && { policy: row.policy }),
    ...readFacts(row.facts),
  };
}

/** A line of a server that wrote whole entries. */
function isEntry(value: unknown): value is AuditEntry {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "at" in value &&
    typeof value.at === "number" &&
    "event" in value &&
    typeof value.event === "string" &&
    "actor" in value &&
    typeof value.actor === "object" &&
    value.actor !== null
  );
}
