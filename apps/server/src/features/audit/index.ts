import { join } from "node:path";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { AuditConfig } from "./audit-config.ts";
import { migrations } from "./migrations.ts";
import { type AuditRoutesOptions, auditRoutes } from "./routes.ts";
import { sealFor } from "./seal-key.ts";
import { AuditService } from "./service.ts";
import { createSinks } from "./sinks/sinks.ts";

export type AuditNeeds = {
  readonly config: { readonly audit: AuditConfig };
  readonly dataDirectory: string;
  readonly version: string;
  /** The id of an organization, by its id or slug. */
  readonly organizationOf: (idOrSlug: string) => Promise<string | undefined>;
  /** Brings events that others still hold; rejects where they cannot. */
  readonly gather: () => Promise<void>;
  /** What the policies let somebody see of a list. */
  readonly filter: ListFilter;
  /** Where an address is; nothing where nobody knows. Never rejects. */
  readonly placeOf: (address: string) => Promise<string | undefined>;
};

const JOURNAL_DIRECTORY = "audit";
export const CHAIN_END_FILE = "audit-end.json";

type Services = AuditRoutesOptions;

/** Who did what: redacted, never lost once it is acknowledged, chained so that a change shows, sent on as configured. */
export const audit = defineFeature<Services, AuditNeeds>({
  name: "audit",
  migrations,
  // Its rows are a chain: they go when their time is over, and not before.
  onPurge: "nothing",
  services: (
    { database, log, metrics, redact },
    { config, dataDirectory, placeOf, organizationOf, gather, filter, version },
  ) => ({
    audit: new AuditService({
      config: config.audit,
      directory: join(dataDirectory, JOURNAL_DIRECTORY),
      endFile: join(dataDirectory, CHAIN_END_FILE),
      database,
      sealFor: (opened) => sealFor(opened, { key: config.audit.key, directory: dataDirectory, mayMake: true }),
      sinks: createSinks(config.audit.sinks, { log, metrics, version, now: Date.now }),
      redact,
      placeOf,
      log,
      metrics,
      now: Date.now,
    }),
    database,
    organizationOf,
    gather,
    filter,
  }),
  routes: auditRoutes,
  jobs: ({ audit }) => [
    every("10 s", "write_repeated_audit_events", async () => audit.sweep()),
    every("10 s", "keep_audit_chain_end", () => audit.keepEnd()),
    every("30 s", "recover_audit_journals", () => audit.recover()),
    every("1 h", "expire_audit_log", (signal) => audit.expire(signal), { once: true }),
  ],
  health: ({ audit }) => [{ name: "audit", run: async () => audit.check() }],
});
