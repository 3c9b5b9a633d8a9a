import type { LedgerFollower } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import { openDatabase } from "../../kit/database.ts";
import { type LedgerHome, openTestLedger } from "../ledger/ledger.testing.ts";
import { migrations as ledgerMigrations } from "../ledger/migrations.ts";
import type { DurableLedger } from "../ledger/service.ts";
import { openTestAudit } from "./audit.testing.ts";
import { type AuditConfig, takeAuditConfig } from "./audit-config.ts";
import { LlmEvents } from "./llm-events.ts";
import { migrations } from "./migrations.ts";

export type AuditedLedger = {
  readonly ledger: DurableLedger;
  readonly follower: LedgerFollower;
  readonly database: () => Promise<Database>;
  /** Events that the audit log has given up. */
  dropped(): number;
  /** Ids of requests that are in events, sorted; one that is in two of them is there twice. */
  eventIds(): Promise<string[]>;
  close(): Promise<void>;
};

/** A ledger whose rows are events of an audit log in the same database. */
export function openAuditedLedger(home: LedgerHome, now = Date.now, config: Partial<AuditConfig> = {}): AuditedLedger {
  const opening = openDatabase({
    ...home.place,
    migrations: [
      { feature: "audit", migrations },
      { feature: "ledger", migrations: ledgerMigrations },
    ],
  });
  const database = (): Promise<Database> => opening;
  const audit = openTestAudit(home.path, database, { config: { ...takeAuditConfig({}), ...config } });
  const follower = new LlmEvents({ audit, redact: String, now });
  const { ledger } = openTestLedger(home, { database, follower, now });
  return {
    ledger,
    follower,
    database,
    dropped: () => audit.state.dropped,
    async eventIds() {
      await ledger.settle();
      await audit.settle();
      const rows = await (await opening)
        .tables<{ audit: { facts: string; request_id: string } }>()
        .selectFrom("audit")
        .select(["facts", "request_id"])
        .execute();
      return rows.flatMap(({ facts, request_id }) => idsOf(JSON.parse(facts)) ?? [request_id]).sort();
    },
    async close() {
      await ledger.close();
      await audit.close();
      await (await opening).close();
    },
  };
}

function idsOf(facts: { readonly details: { readonly requestIds?: readonly string[] } }) {
  return facts.details.requestIds;
}
