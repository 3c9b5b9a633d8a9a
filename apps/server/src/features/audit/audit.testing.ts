import { join } from "node:path";
import { sql } from "kysely";
import type { AuditEvent } from "../../kit/audit.ts";
import type { Database } from "../../kit/database.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { createMetrics } from "../../kit/metrics.ts";
import { takeAuditConfig } from "./audit-config.ts";
import { type AuditEntry, entryOf } from "./audit-entry.ts";
import { createChainSeal } from "./chain-seal.ts";
import { type Recorded, recordedOf } from "./recorded.ts";
import { AuditService, type AuditServiceOptions } from "./service.ts";

export const SEAL = createChainSeal(Buffer.alloc(32, 1));

export function event(id: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    event: "token.created",
    outcome: "success",
    actor: { type: "token", id: "token-1", name: "one" },
    target: { type: "token", id },
    ...more,
  };
}

export function entry(id: string, at: number, more: Partial<AuditEvent> = {}): AuditEntry {
  return entryOf(event(id, more), { redact: String, at });
}

export function recorded(id: string, at: number, more: Partial<AuditEvent> = {}): Recorded {
  return recordedOf(entry(id, at, more));
}

export function openTestAudit(
  directory: string,
  database: () => Promise<Database>,
  options: Partial<AuditServiceOptions> = {},
): AuditService {
  return new AuditService({
    config: takeAuditConfig({}),
    directory: join(directory, "audit"),
    endFile: join(directory, "audit-end.json"),
    database,
    sealFor: () => SEAL,
    sinks: [],
    redact: String,
    placeOf: async () => undefined,
    log: SILENT_LOG,
    metrics: createMetrics(),
    now: Date.now,
    ...options,
  });
}

/** Rows of one statement: no server waits for one for ever. */
const FILL_ROWS = 50_000;

/** Unix milliseconds of the row before the first. */
export const FILLED_FROM = Date.UTC(2026, 0, 1);

/** A log of so many rows, made by the database itself: ids, actors, families... in different shares. */
export async function fillAudit(database: Database, rows: number): Promise<void> {
  const db = database.tables();
  await sql`delete from audit`.execute(db);
  for (let from = 0; from < rows; from += FILL_ROWS) {
    const [first, last] = [sql.lit(from + 1), sql.lit(Math.min(from + FILL_ROWS, rows))];
    const numbers =
      database.engine === "sqlite"
        ? sql`with recursive n(i) as (select ${first} union all select i + 1 from n where i < ${last})`
        : sql`with n(i) as (select generate_series(${first}, ${last}))`;
    await sql`insert into audit (seq, id, at_ms, event, family, severity, outcome, actor_type, actor_id, actor_name,
        impersonator_id, target_type, target_id, organization, address, previous_hash, hash)
      ${numbers}
      select i, 'audit-' || i, ${sql.lit(FILLED_FROM)} + i, case when i % 3 = 0 then 'session.created' else 'llm.completed' end,
        case when i % 3 = 0 then 'session' else 'llm' end, 'info', case when i % 50 = 0 then 'denied' else 'success' end,
        'user', 'user-' || (i % 100), 'somebody', case when i % 500 = 0 then 'user-x' end, 'thing', 'thing-' || (i % 1000),
        'org-' || (i % 10), '10.0.0.' || (i % 200), 'x', 'y'
      from n`.execute(db);
  }
  await analyzeAudit(database);
}

/** Tells the engine what there is, as it finds out by itself in time. */
export async function analyzeAudit(database: Database): Promise<void> {
  await sql`analyze audit`.execute(database.tables());
}
