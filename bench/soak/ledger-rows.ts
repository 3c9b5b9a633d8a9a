import { DatabaseSync } from "node:sqlite";
import type { Tokens } from "./plan.ts";

/** A row of the ledger, as the database has it. */
export type LedgerRow = {
  readonly id: string;
  readonly session: string;
  readonly endedMs: number;
  readonly subject: string;
  readonly upstream: string;
  readonly outcome: string;
  readonly status: number;
  readonly attempts: number;
  readonly estimated: boolean;
  readonly costMicroUsd: number | undefined;
  readonly errorCode: string | undefined;
  readonly tokens: Tokens;
};

export type Books = {
  readonly rows: readonly LedgerRow[];
  /** Servers that hold something. */
  readonly holders: readonly string[];
  /** Micro-dollars in total, by the id of the token. */
  readonly spent: ReadonlyMap<string, number>;
};

/** Everything that the server has written down. It may run meanwhile. */
export function readBooks(file: string): Books {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
  try {
    const rows = database.prepare("SELECT * FROM usage ORDER BY at_ms").all().map(rowOf);
    const spent = database
      .prepare("SELECT id, micro_usd FROM budget_spent WHERE kind = 'token' AND period = 'total'")
      .all();
    const spentById = new Map(spent.map(({ id, micro_usd }) => [String(id), Number(micro_usd)]));
    return { rows, holders: readHolders(database), spent: spentById };
  } finally {
    database.close();
  }
}

/** Servers that hold something for requests that run. */
export function holdersIn(file: string): readonly string[] {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
  try {
    return readHolders(database);
  } finally {
    database.close();
  }
}

function readHolders(database: DatabaseSync): string[] {
  return database
    .prepare("SELECT DISTINCT process FROM budget_hold")
    .all()
    .map((row) => String(row.process));
}

function rowOf(row: Record<string, unknown>): LedgerRow {
  const { cost_micro_usd: cost, error_code: errorCode } = row;
  return {
    id: String(row.id),
    session: String(row.session),
    endedMs: Number(row.at_ms) + Number(row.latency_ms),
    subject: String(row.subject),
    upstream: String(row.upstream),
    outcome: String(row.outcome),
    status: Number(row.status),
    attempts: Number(row.attempts),
    estimated: row.estimated === 1,
    costMicroUsd: cost === null ? undefined : Number(cost),
    errorCode: errorCode === null ? undefined : String(errorCode),
    tokens: {
      input: Number(row.input_tokens),
      output: Number(row.output_tokens),
      cacheRead: Number(row.cache_read_tokens),
      cacheWrite: Number(row.cache_write_tokens),
      cacheWriteLong: Number(row.cache_write_long_tokens),
      reasoning: Number(row.reasoning_tokens),
    },
  };
}
