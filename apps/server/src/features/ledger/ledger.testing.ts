// What the tests of the ledger share: entries, a ledger on a database of its own, and what that database says.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_USAGE } from "@loom/core";
import type { LedgerEntry } from "../../gateway-types.ts";
import { type Database, type DatabasePlace, openDatabase } from "../../kit/database.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { createMetrics } from "../../kit/metrics.ts";
import { createLedgerMetrics } from "./ledger-metrics.ts";
import { type LedgerTables, migrations } from "./migrations.ts";
import { DurableLedger, type LedgerOptions } from "./service.ts";

export const NOON = Date.parse("2026-09-23T12:00:00Z");

export function entry(id: string, fields: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    id,
    at: NOON,
    subject: "owner",
    nodes: [{ kind: "token", id: "owner" }],
    client: "claude-cli",
    dialect: "anthropic",
    upstream: "anthropic",
    requestedModel: "claude-opus-5",
    model: "claude-opus-5",
    route: "named",
    attempts: 1,
    usage: { ...NO_USAGE, inputTokens: 10, outputTokens: 5 },
    estimated: false,
    costMicroUsd: 175,
    priceVersion: "test@1",
    latencyMs: 100,
    firstByteMs: 20,
    status: 200,
    outcome: "completed",
    ...fields,
  };
}

export type TestLedger = {
  readonly ledger: DurableLedger;
  readonly database: () => Promise<Database>;
  close(): Promise<void>;
};

/** Where a ledger has its journal and its database. */
export type LedgerHome = { readonly path: string; readonly place: DatabasePlace };

/** A ledger that opens its database when it first needs it. */
export function openTestLedger(home: LedgerHome, options: Partial<LedgerOptions> = {}): TestLedger {
  let opening: Promise<Database> | undefined;
  const database = (): Promise<Database> => {
    opening ??= openTestDatabase(home);
    return opening;
  };
  const ledger = new DurableLedger({
    overflow: "stop",
    retentionDays: 400,
    directory: join(home.path, "ledger"),
    database,
    metrics: createLedgerMetrics(createMetrics()),
    log: SILENT_LOG,
    ...options,
  });
  return {
    ledger,
    database,
    async close() {
      await ledger.close();
      await (await opening)?.close();
    },
  };
}

export function openTestDatabase({ place }: LedgerHome): Promise<Database> {
  return openDatabase({ ...place, migrations: [{ feature: "ledger", migrations }] });
}

/** Ids in the database, sorted; one that is there twice is there twice. */
export async function storedIds(database: Database): Promise<string[]> {
  const rows = await database.tables<LedgerTables>().selectFrom("usage").select("id").execute();
  return rows.map(({ id }) => id).sort();
}

export async function temporaryDirectory(): Promise<{ path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "loom-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Looks again on every turn of the event loop; the test's own deadline is the bound. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
