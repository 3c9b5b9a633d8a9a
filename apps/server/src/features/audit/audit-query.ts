import type { AuditQuery, AuditRecord } from "@loom/api";
import {
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
} from "kysely";
import { readFacts } from "./facts.ts";
import type { AuditRow, AuditTables } from "./migrations.ts";

/** Where a list goes on: behind this row. */
export type AuditPlace = { readonly atMs: number; readonly seq: number };

/** Which rows somebody may read. */
export type VisibleRows = (where: ExpressionBuilder<AuditTables, "audit">) => Expression<SqlBool>;

export type AuditRange = {
  readonly filter: AuditQuery;
  /** Absent: all. */
  readonly visible?: VisibleRows | undefined;
  readonly behind: AuditPlace | undefined;
};

export type AuditBatch = {
  readonly records: readonly AuditRecord[];
  /** Where to go on; `undefined`: there is nothing more. */
  readonly next: AuditPlace | undefined;
};

/** A column with an index that gives its rows newest first. */
type Lead = "target_id" | "impersonator_id" | "address" | "actor_id" | "family" | "organization" | "outcome";

/** The first of these that a filter names finds the rows: what fits only few rows before what fits many. */
const LEADS: readonly (readonly [column: Lead, filter: keyof AuditQuery])[] = [
  ["target_id", "target"],
  ["impersonator_id", "impersonator"],
  ["address", "address"],
  ["actor_id", "actor"],
  ["organization", "organization"],
  ["family", "family"],
  ["outcome", "outcome"],
];

/**
 * Rows that are looked at in one step where the lead alone does not decide: whatever combination is asked for, a step
 * costs no more than this, and the next one goes on behind it.
 */
export const SCAN_ROWS = 1_000;

/** One step of a list, newest first: up to `limit` records, all of them from one range of one index. */
export async function auditBatch(db: Kysely<AuditTables>, range: AuditRange, limit: number): Promise<AuditBatch> {
  const { query, end } = auditStep(db, range, limit);
  const rows = (await query.execute()) as AuditRow[];
  const last = rows.at(limit - 1);
  if (last !== undefined) return { records: rows.slice(0, limit).map(recordOf), next: placeOf(last) };
  const next = await end?.executeTakeFirst();
  return { records: rows.map(recordOf), next: next && placeOf(next) };
}

/** The statements of a step. `end`: the last row that it looks at; absent where it looks at no others than it gives. */
export function auditStep(db: Kysely<AuditTables>, { filter, visible, behind }: AuditRange, limit: number) {
  const lead = leadOf(filter);
  const inRange = rangeOf(db, filter, lead, behind);
  const rest = LEADS.filter(([column, name]) => column !== lead?.[0] && filter[name] !== undefined);
  const eventIsOpen = filter.event !== undefined;
  if (rest.length === 0 && !eventIsOpen && visible === undefined)
    return { query: inRange.selectAll().limit(limit), end: undefined };
  let query = db
    .selectFrom(inRange.selectAll().limit(SCAN_ROWS).as("audit"))
    .selectAll()
    .orderBy("at_ms", "desc")
    .orderBy("seq", "desc")
    .limit(limit);
  for (const [column, name] of rest) query = query.where(column, "=", filter[name] ?? "");
  if (filter.event !== undefined) query = query.where("event", "=", filter.event);
  if (visible !== undefined) query = query.where(visible);
  const end = inRange
    .select(["at_ms", "seq"])
    .limit(1)
    .offset(SCAN_ROWS - 1);
  return { query, end };
}

function leadOf(filter: AuditQuery): readonly [Lead, string] | undefined {
  for (const [column, name] of LEADS) {
    const value = filter[name];
    // An event's family is known by its name. Successes are nearly all rows: they have no index.
    if (column === "family" && filter.event !== undefined) return [column, filter.event.split(".")[0] ?? ""];
    if (value !== undefined && !(column === "outcome" && value === "success")) return [column, value];
  }
  return undefined;
}

/** Beyond all times: a range is always open at one end at most, and so is always found by an index. */
const MAX_MS = 8.64e15;

function rangeOf(
  db: Kysely<AuditTables>,
  { from, to }: AuditQuery,
  lead: readonly [Lead, string] | undefined,
  behind: AuditPlace | undefined,
) {
  let query: SelectQueryBuilder<AuditTables, "audit", object> = db
    .selectFrom("audit")
    .orderBy("at_ms", "desc")
    .orderBy("seq", "desc")
    // SQLite begins to read at this bound, and only then looks at the cursor.
    .where("at_ms", "<", Math.min(to === undefined ? MAX_MS : Date.parse(to), (behind?.atMs ?? MAX_MS) + 1));
  if (lead !== undefined) query = query.where(lead[0], "=", lead[1]);
  // Word for word what the index says: SQLite cannot tell it from a parameter.
  if (lead?.[0] === "outcome") query = query.where(sql<boolean>`outcome != 'success'`);
  if (from !== undefined) query = query.where("at_ms", ">=", Date.parse(from));
  if (behind !== undefined) query = query.where(sql<boolean>`(at_ms, seq) < (${behind.atMs}, ${behind.seq})`);
  return query;
}

function placeOf({ at_ms, seq }: Pick<AuditRow, "at_ms" | "seq">): AuditPlace {
  return { atMs: at_ms, seq };
}

export function recordOf(row: AuditRow): AuditRecord {
  const { before = null, after = null, details = null } = readFacts(row.facts);
  return {
    seq: row.seq,
    id: row.id,
    at: new Date(row.at_ms).toISOString(),
    event: row.event,
    severity: row.severity,
    outcome: row.outcome,
    actor: { type: row.actor_type, id: row.actor_id, name: row.actor_name, via: row.via },
    impersonator: row.impersonator_id === null ? null : { id: row.impersonator_id, name: row.impersonator_name ?? "" },
    target: row.target_type === null ? null : { type: row.target_type, id: row.target_id ?? "", name: row.target_name },
    organization: row.organization,
    address: row.address,
    place: row.place,
    requestId: row.request_id,
    userAgent: row.user_agent,
    policy: row.policy,
    before,
    after,
    details,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
