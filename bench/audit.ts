import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditQuery } from "@loom/api";
import { Secret } from "@loom/config";
import { analyzeAudit, FILLED_FROM, openTestAudit, SEAL } from "../apps/server/src/features/audit/audit.testing.ts";
import type { AuditEntry } from "../apps/server/src/features/audit/audit-entry.ts";
import { auditBatch } from "../apps/server/src/features/audit/audit-query.ts";
import { createChainStore } from "../apps/server/src/features/audit/chain-store.ts";
import { LlmEvents } from "../apps/server/src/features/audit/llm-events.ts";
import { recordedOf } from "../apps/server/src/features/audit/recorded.ts";
import { verifyChain } from "../apps/server/src/features/audit/verify.ts";
import { MIGRATIONS } from "../apps/server/src/features/migrations.ts";
import type { LedgerEntry } from "../apps/server/src/gateway-types.ts";
import { type Database, openDatabase } from "../apps/server/src/kit/database.ts";
import { parsePostgresUrl } from "../apps/server/src/kit/postgres-address.ts";
import { findPostgres, startCluster } from "../apps/server/src/kit/postgres-cluster.testing.ts";
import { type AuditShare, shareOfRequest } from "./audit-share.ts";
import { machine, table } from "./markdown.ts";
import { median } from "./statistics.ts";
import { writeBetweenMarkers } from "./write-docs.ts";

const REQUESTS = 16_000;
const ROUNDS = 5;
const ROWS = 1_000_000;
const LISTS = 40;
/** As many as one move of the ledger brings. */
const BATCH = 250;
/** So many requests come in the minute in which the audit log collects them. */
const WINDOW = 1_000;
/** How many ask by turns. */
const ASKERS = [1, 200];

/** Prints what the events of requests for models cost, and to list and to verify a million rows, on both engines. */
export async function benchAudit({
  writeDocs,
  quick,
}: {
  readonly writeDocs: boolean;
  readonly quick: boolean;
}): Promise<void> {
  const shares: AuditShare[] = [];
  for (const askers of ASKERS) {
    const share = await shareOfRequest(askers, { quick });
    console.error(shareLine(share));
    shares.push(share);
  }
  const events: string[][] = [];
  const lists: string[][] = [];
  await onEachEngine(async (engine, database, directory) => {
    for (const [index, askers] of ASKERS.entries()) {
      const cost = await costOfEvents(database, directory, askers);
      const { request } = shares[index] ?? { request: Number.NaN };
      const part = `${((100 * cost) / request).toFixed(1)} %`;
      console.error(`${engine}, ${askers} tokens: ${cost.toFixed(1)} µs for a request, ${part}`);
      events.push([engine, String(askers), `${cost.toFixed(1)} µs`, part]);
    }
    await fillUp(database);
    const verified = await timeToVerify(database);
    console.error(`${engine}: ${verified} to verify`);
    lists.push([engine, "`audit verify`, all of them", verified, ""]);
    for (const [name, filter] of FILTERS) {
      const times = await timesOf(database, filter);
      console.error(`${engine}, ${name}: ${median(times).toFixed(1)} ms, at most ${Math.max(...times).toFixed(1)} ms`);
      lists.push([
        engine,
        `100 of them: ${name}`,
        `${median(times).toFixed(1)} ms`,
        `${Math.max(...times).toFixed(1)} ms`,
      ]);
    }
  });
  const text = [
    `${machine()}; medians of ${ROUNDS} rounds of ${REQUESTS.toLocaleString("en")} requests, and of ${LISTS} lists. \`npm run bench -- --audit\``,
    table([
      ["engine", "tokens", "CPU of the audit log for a request", "of what a server takes for it (bar: 5 %)"],
      ...events,
    ]),
    ...shares.map(shareLine),
    table([["engine", `${ROWS.toLocaleString("en")} rows`, "median", "slowest"], ...lists]),
  ].join("\n\n");
  console.log(text);
  if (writeDocs) writeBetweenMarkers("docs/benchmarks.md", text, "audit");
}

function shareLine({ askers, request, more, share, interval, pairs, rounds, requests }: AuditShare): string {
  const who = askers === 1 ? "one token" : `${askers} tokens by turns`;
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
  return `Asked by ${who}: a gateway request takes a server on SQLite ${request.toFixed(0)} µs of CPU without events for it, and ${more.toFixed(1)} µs more with them: ${percent(share)}, with a probability of 95 % between ${percent(interval.low)} and ${percent(interval.high)} (bar: 5 %). Medians of ${pairs} pairs of servers with ${rounds} rounds of four times ${requests} requests over 16 connections.`;
}

async function onEachEngine(
  work: (engine: string, database: Database, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "loom-bench-"));
  try {
    const file = await openDatabase({ file: join(directory, "audit.sqlite"), migrations: MIGRATIONS });
    await work("SQLite", file, join(directory, "sqlite"));
    await file.close();
    const programs = await findPostgres();
    if (programs === undefined) return;
    const cluster = await startCluster(programs);
    try {
      const postgres = parsePostgresUrl(new Secret(cluster.url("postgres")), "the benchmark");
      const database = await openDatabase({ postgres, migrations: MIGRATIONS });
      await work("PostgreSQL", database, join(directory, "postgres"));
      await database.close();
    } finally {
      await cluster.remove();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * CPU of this process in microseconds for each request, after one round that is not counted: from its row in the ledger
 * to the chain in the database, with the log's own file on the disk. Nothing else goes on in the process.
 */
async function costOfEvents(database: Database, directory: string, askers: number): Promise<number> {
  const audit = openTestAudit(directory, async () => database);
  const follower = new LlmEvents({ audit, redact: String, warn: () => undefined, now: Date.now });
  const costs: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const entries = entriesOf(askers, round);
    const begun = process.cpuUsage();
    for (let from = 0; from < REQUESTS; from += BATCH) {
      follower.see(entries.slice(from, from + BATCH));
      await follower.tell({ all: (from + BATCH) % WINDOW === 0 });
    }
    await audit.settle();
    const { user, system } = process.cpuUsage(begun);
    if (round > 0) costs.push((user + system) / REQUESTS);
  }
  await audit.close();
  return median(costs);
}

/** Of one process: whoever asks often is charged by the same nodes each time. */
function entriesOf(askers: number, round: number): LedgerEntry[] {
  const nodes = Array.from({ length: askers }, (_, index) => [
    { kind: "token", id: `token-${index}` } as const,
    { kind: "organization", id: "org-1" } as const,
  ]);
  const usage = { inputTokens: 1_000, outputTokens: 100, cacheReadTokens: 0, cacheWriteTokens: 0 };
  return Array.from({ length: REQUESTS }, (_, index) => ({
    ...{ id: `req-${askers}-${round}-${index}`, at: FILLED_FROM + round * REQUESTS + index },
    ...{ subject: `asker-${index % askers}`, nodes: nodes[index % askers] ?? [] },
    ...{ client: "loom/1.0", dialect: "anthropic", upstream: "anthropic", requestedModel: "default" },
    ...{ model: "claude-sonnet", route: "default", attempts: 1, estimated: false, latencyMs: 900 },
    usage: { ...usage, cacheWriteLongTokens: 0, reasoningTokens: 0 },
    ...{ status: 200, outcome: "completed" },
  }));
}

const FILL_ROWS = 1_000;

/** The chain goes on until it has a million rows, with ids, actors, families... in different shares. */
async function fillUp(database: Database): Promise<void> {
  const store = createChainStore(database, { seal: SEAL });
  let { rows } = await verifyChain(database, { seal: SEAL });
  while (rows < ROWS) {
    const length = Math.min(FILL_ROWS, ROWS - rows);
    const entries = Array.from({ length }, (_, index) => recordedOf(rowOf(rows + index + 1)));
    await store.append(entries, { isFirst: true });
    rows += length;
  }
  await analyzeAudit(database);
}

function rowOf(index: number): AuditEntry {
  return {
    id: `audit-${index}`,
    at: FILLED_FROM + index,
    event: index % 3 === 0 ? "session.created" : "llm.completed",
    severity: "info",
    outcome: index % 50 === 0 ? "denied" : "success",
    actor: { type: "user", id: `user-${index % 100}`, name: "somebody" },
    target: { type: "thing", id: `thing-${index % 1_000}` },
    organization: `org-${index % 10}`,
    address: `10.0.0.${index % 200}`,
  };
}

async function timeToVerify(database: Database): Promise<string> {
  const begun = performance.now();
  const { rows, problems } = await verifyChain(database, { seal: SEAL });
  if (rows !== ROWS || problems.length > 0) throw new Error(`The chain of ${rows} rows is broken: ${problems}`);
  return `${((performance.now() - begun) / 1_000).toFixed(1)} s`;
}

const FILTERS: readonly (readonly [string, AuditQuery])[] = [
  ["the newest", {}],
  ["of one actor", { actor: "user-7" }],
  ["of a family, denied", { family: "session", outcome: "denied" }],
  ["of an organization, in a month", { organization: "org-7", from: new Date(FILLED_FROM).toISOString() }],
];

/** Milliseconds of each list. */
async function timesOf(database: Database, filter: AuditQuery): Promise<readonly number[]> {
  const times: number[] = [];
  for (let list = 0; list < LISTS; list += 1) {
    const begun = performance.now();
    const behind = list % 2 === 0 ? undefined : { atMs: FILLED_FROM + ROWS / 2, seq: ROWS / 2 };
    await auditBatch(database.tables(), { filter, behind }, 100);
    times.push(performance.now() - begun);
  }
  return times;
}
