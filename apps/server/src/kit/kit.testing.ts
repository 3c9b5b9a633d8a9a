// What features stand on, where a test builds them without a server.
import { AuditLine } from "./audit.ts";
import type { Database } from "./database.ts";
import type { Kit } from "./kit.ts";
import { SILENT_LOG } from "./log.ts";
import { createMetrics } from "./metrics.ts";

/** Says nothing and conceals nothing. */
export function testKit(database: Database): Kit & { readonly audit: AuditLine } {
  return {
    log: SILENT_LOG,
    metrics: createMetrics(),
    audit: new AuditLine(),
    redact: (text) => text,
    database: async () => database,
  };
}
