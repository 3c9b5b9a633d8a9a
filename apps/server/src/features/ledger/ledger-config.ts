import { ConfigError, type Environment } from "@loom/config";

export type LedgerConfig = {
  /** What happens to requests while nothing can be written: none is let in, or they go on and their rows are lost. */
  readonly overflow: "stop" | "drop";
  readonly retentionDays: number;
};

const DEFAULT_RETENTION_DAYS = 400;
const MAX_RETENTION_DAYS = 36_500;

/** @throws ConfigError that names the variable. */
export function readLedgerConfig(env: Environment): LedgerConfig {
  const overflow = env.LOOM_SERVER_LEDGER_OVERFLOW || "stop";
  if (overflow !== "stop" && overflow !== "drop") {
    throw new ConfigError("LOOM_SERVER_LEDGER_OVERFLOW has to be stop or drop.");
  }
  const text = env.LOOM_SERVER_LEDGER_RETENTION_DAYS || String(DEFAULT_RETENTION_DAYS);
  const retentionDays = /^\d+$/.test(text) ? Number(text) : 0;
  if (retentionDays < 1 || retentionDays > MAX_RETENTION_DAYS) {
    throw new ConfigError(
      `LOOM_SERVER_LEDGER_RETENTION_DAYS has to be a whole number of days from 1 to ${MAX_RETENTION_DAYS}.`,
    );
  }
  return { overflow, retentionDays };
}
