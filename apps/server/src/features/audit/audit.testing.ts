import { join } from "node:path";
import type { AuditEvent } from "../../kit/audit.ts";
import type { Database } from "../../kit/database.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { createMetrics } from "../../kit/metrics.ts";
import { takeAuditConfig } from "./audit-config.ts";
import { type AuditEntry, entryOf } from "./audit-entry.ts";
import { createChainSeal } from "./chain-seal.ts";
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
