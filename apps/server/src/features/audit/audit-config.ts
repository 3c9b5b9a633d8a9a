import { ConfigError, type Secret, takeSecret } from "@loom/config";
import type { AuditSeverity } from "../../kit/audit-events.ts";
import type { OverflowPolicy } from "./audit-queue.ts";
import { readChoice, readNumber, readSeverity } from "./audit-variables.ts";
import { type SinksConfig, takeSinksConfig } from "./sinks-config.ts";

export type AuditConfig = {
  readonly overflow: OverflowPolicy;
  /** Events in memory at most. */
  readonly queueCapacity: number;
  readonly retentionDays: number;
  /** What is less grave is not recorded at all. */
  readonly minSeverity: AuditSeverity;
  /** Whether requests for models are events, besides being rows of the ledger. */
  readonly llm: boolean;
  /** Signs the ends of the chain; base64 of 32 bytes. */
  readonly key: Secret | undefined;
  readonly sinks: SinksConfig;
};

const OVERFLOWS = ["block", "drop_newest", "drop_oldest"] as const;
const DEFAULT_CAPACITY = 10_000;
const MAX_CAPACITY = 1_000_000;
const DEFAULT_RETENTION_DAYS = 90;
const MAX_RETENTION_DAYS = 36_500;

/** Takes the secrets out of `env`. @throws ConfigError that names the variable. */
export function takeAuditConfig(
  env: NodeJS.ProcessEnv,
  options: { readonly warn?: (sentence: string) => void } = {},
): AuditConfig {
  const key = takeSecret(env, "LOOM_SERVER_AUDIT_KEY", options);
  if (key !== undefined && Buffer.from(key.expose(), "base64").length !== 32) {
    throw new ConfigError('LOOM_SERVER_AUDIT_KEY has to be 32 bytes in base64, e.g. of "openssl rand -base64 32".');
  }
  return {
    overflow: readChoice(env, "LOOM_SERVER_AUDIT_OVERFLOW", OVERFLOWS, "block"),
    queueCapacity: readNumber(env, "LOOM_SERVER_AUDIT_QUEUE", { least: 1_000, most: MAX_CAPACITY }) ?? DEFAULT_CAPACITY,
    retentionDays:
      readNumber(env, "LOOM_SERVER_AUDIT_RETENTION_DAYS", { least: 1, most: MAX_RETENTION_DAYS }) ??
      DEFAULT_RETENTION_DAYS,
    minSeverity: readSeverity(env, "LOOM_SERVER_AUDIT_MIN_SEVERITY"),
    llm: readChoice(env, "LOOM_SERVER_AUDIT_LLM", ["off", "on"], "on") === "on",
    key,
    sinks: takeSinksConfig(env, options),
  };
}
