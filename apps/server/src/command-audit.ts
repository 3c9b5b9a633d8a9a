import { userInfo } from "node:os";
import { createRedactor } from "@loom/config";
import { takeAuditConfig } from "./features/audit/audit-config.ts";
import { entryOf } from "./features/audit/audit-entry.ts";
import { createChainStore } from "./features/audit/chain-store.ts";
import { recordedOf } from "./features/audit/recorded.ts";
import { sealFor } from "./features/audit/seal-key.ts";
import type { AuditEvent } from "./kit/audit.ts";
import type { Database } from "./kit/database.ts";

export type CommandAudit = (database: Database, event: Omit<AuditEvent, "actor">) => Promise<void>;

/** A running server may hold the write lock for a moment. */
const PATIENCE_MS = 5_000;

/**
 * For commands that work on the database itself: what they do is in the audit log, too, when they say that it is done.
 * The actor is whoever runs the command on this machine.
 * @throws ConfigError, DatabaseError
 */
export function commandAudit(
  dataDirectory: string,
  env: NodeJS.ProcessEnv,
  { warn }: { readonly warn?: (sentence: string) => void } = {},
): CommandAudit {
  const { key } = takeAuditConfig(env, warn === undefined ? {} : { warn });
  return async (database, event) => {
    const seal = sealFor(database, { key, directory: dataDirectory, mayMake: true });
    const actor = { type: "system", id: "command", name: accountName() } as const;
    const entry = entryOf({ ...event, actor }, { redact: createRedactor([]), at: Date.now() });
    await createChainStore(database, { seal, patienceMs: PATIENCE_MS }).append([recordedOf(entry)]);
    await database.sync();
  };
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
