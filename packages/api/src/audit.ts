import type { JsonObject } from "@loom/core";
import { textCell } from "./csv-cell.ts";

export const AUDIT_OUTCOMES = ["success", "failure", "denied"] as const;

export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** What has happened, and who did it. Times are RFC 3339. */
export type AuditRecord = {
  /** Its place in the chain: 1, 2, 3... */
  readonly seq: number;
  readonly id: string;
  readonly at: string;
  readonly event: string;
  readonly severity: string;
  readonly outcome: string;
  readonly actor: {
    readonly type: string;
    readonly id: string;
    readonly name: string;
    /** `session:ID` or `key:ID`. */
    readonly via: string | null;
  };
  /** Who acted in the actor's place. */
  readonly impersonator: { readonly id: string; readonly name: string } | null;
  readonly target: { readonly type: string; readonly id: string; readonly name: string | null } | null;
  readonly organization: string | null;
  readonly address: string | null;
  readonly place: string | null;
  readonly requestId: string | null;
  readonly userAgent: string | null;
  readonly policy: string | null;
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
  readonly details: JsonObject | null;
  readonly previousHash: string;
  readonly hash: string;
};

export type AuditPage = { readonly events: readonly AuditRecord[]; readonly nextCursor: string | null };

/** What a list and an export can be narrowed by; all of it has to hold. */
export const AUDIT_FILTERS = [
  "actor",
  "impersonator",
  "family",
  "event",
  "target",
  "organization",
  "address",
  "outcome",
  "from",
  "to",
] as const;

export type AuditQuery = { readonly [Filter in (typeof AUDIT_FILTERS)[number]]?: string | undefined };

const COLUMNS: readonly (readonly [name: string, read: (record: AuditRecord) => string | null | undefined])[] = [
  ["seq", ({ seq }) => String(seq)],
  ["id", ({ id }) => id],
  ["at", ({ at }) => at],
  ["event", ({ event }) => event],
  ["severity", ({ severity }) => severity],
  ["outcome", ({ outcome }) => outcome],
  ["actor_type", ({ actor }) => actor.type],
  ["actor_id", ({ actor }) => actor.id],
  ["actor_name", ({ actor }) => actor.name],
  ["via", ({ actor }) => actor.via],
  ["impersonator_id", ({ impersonator }) => impersonator?.id],
  ["impersonator_name", ({ impersonator }) => impersonator?.name],
  ["target_type", ({ target }) => target?.type],
  ["target_id", ({ target }) => target?.id],
  ["target_name", ({ target }) => target?.name],
  ["organization", ({ organization }) => organization],
  ["address", ({ address }) => address],
  ["place", ({ place }) => place],
  ["request_id", ({ requestId }) => requestId],
  ["user_agent", ({ userAgent }) => userAgent],
  ["policy", ({ policy }) => policy],
  ["before", ({ before }) => json(before)],
  ["after", ({ after }) => json(after)],
  ["details", ({ details }) => json(details)],
  ["previous_hash", ({ previousHash }) => previousHash],
  ["hash", ({ hash }) => hash],
];

/** The first line of the CSV (RFC 4180), with its end. */
export function auditCsvHeader(): string {
  return `${COLUMNS.map(([name]) => name).join(",")}\r\n`;
}

export function auditCsvLine(record: AuditRecord): string {
  return `${COLUMNS.map(([, read]) => textCell(read(record) ?? "")).join(",")}\r\n`;
}

function json(value: JsonObject | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
