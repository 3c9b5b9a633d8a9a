import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { NO_USAGE } from "@loom/core";
import type { LedgerEntry, LedgerFollower } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import { isGone } from "../../kit/process-mark.ts";
import type { LostCharge } from "../budgets/service.ts";
import { boundedEntry } from "./entry-line.ts";
import type { LedgerTables } from "./migrations.ts";
import { readTrace, type Trace, type TracedRequest } from "./read-trace.ts";
import { TRACE_SUFFIX } from "./request-trace.ts";
import { createLedgerStore } from "./store.ts";

export type LostRequests = {
  readonly directory: string;
  /** Files of this process. */
  readonly owns: (path: string) => boolean;
  readonly database: () => Promise<Database>;
  readonly follower?: LedgerFollower | undefined;
  /** Brings in what is left of the journals, so that what has a row is not taken for lost. */
  readonly settle: () => Promise<void>;
  /** Has to count once, however often it is called for one process. */
  readonly charge: (process: string, charges: readonly LostCharge[]) => Promise<void>;
  readonly warn: (message: string, fields: { readonly count: number }) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
};

/** Owners touch their files much more often than this. */
const ABANDONED_AFTER_MS = 60_000;
/** Marks the rows that are made here. */
const LOST = "lost";
const IDS_PER_QUESTION = 500;
const ROWS_PER_TRANSACTION = 250;

/**
 * Accounts for the requests that other processes left open when they died: each gets a row as cut off and lost, with what
 * it may have used and cost at most, unless it has one; and the budgets are charged with what they have not heard of. Its
 * steps may all be done again.
 */
export async function recoverLostRequests(lost: LostRequests): Promise<void> {
  const processes = await leftTraces(lost);
  for (const [process, paths] of processes) {
    const trace = await readTrace(paths);
    const diedMs = await lastWritten(paths);
    if (!isAbandoned(trace, diedMs, lost.now())) continue;
    await lost.settle();
    const { count, isTold } = await account(process, trace, diedMs, lost);
    if (count > 0) lost.warn("requests were lost when a server died", { count });
    if (!isTold) continue;
    for (const path of paths) await unlink(path).catch(() => undefined);
  }
}

/** The files of other processes, by process, oldest first. */
async function leftTraces({ directory, owns }: LostRequests): Promise<Map<string, string[]>> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const found = new Map<string, string[]>();
  for (const name of names.filter((each) => each.endsWith(TRACE_SUFFIX)).sort()) {
    const path = join(directory, name);
    const [process = ""] = name.split(".");
    if (!owns(path)) found.set(process, [...(found.get(process) ?? []), path]);
  }
  return found;
}

/** Where nobody can know whether the owner lives, its silence has to do. */
function isAbandoned({ owner }: Trace, writtenMs: number, now: number): boolean {
  return (owner && isGone(owner)) ?? now - writtenMs > ABANDONED_AFTER_MS;
}

async function lastWritten(paths: readonly string[]): Promise<number> {
  const times = await Promise.all(paths.map((path) => stat(path).then(({ mtimeMs }) => mtimeMs)));
  return Math.max(...times);
}

/**
 * `count`: those that had no row. `isTold`: the follower has passed on all that are lost, also those whose row is there
 * since an earlier attempt.
 */
async function account(
  process: string,
  trace: Trace,
  diedMs: number,
  lost: LostRequests,
): Promise<{ readonly count: number; readonly isTold: boolean }> {
  const database = await lost.database();
  const requests = [...trace.requests.values()];
  const known = await knownRows(
    database,
    requests.map(({ opened }) => opened.id),
  );
  const missing = requests.filter(({ opened }) => !known.has(opened.id));
  const store = createLedgerStore(database);
  for (let start = 0; start < missing.length; start += ROWS_PER_TRANSACTION) {
    const rows = missing.slice(start, start + ROWS_PER_TRANSACTION).map((each) => rowOf(each, diedMs));
    await store.insert(rows);
  }
  const untold = requests.filter(({ opened }) => known.get(opened.id)?.isLost ?? true);
  const isTold = await tell(
    untold.map((each) => rowOf(each, diedMs)),
    lost.follower,
  );
  await lost.charge(
    process,
    requests.map((request): LostCharge => {
      const { at, nodes, model, session, id } = request.opened;
      const cost = request.costMicroUsd ?? known.get(id)?.costMicroUsd ?? costOf(request);
      return { at, nodes, model, session, costMicroUsd: cost, toldWith: request.toldWith };
    }),
  );
  return { count: missing.length, isTold };
}

/** Not while it cannot pass on anything: each attempt would add to what waits. */
async function tell(rows: readonly LedgerEntry[], follower: LedgerFollower | undefined): Promise<boolean> {
  if (follower === undefined || rows.length === 0) return true;
  if (!(await follower.tell({ all: false }))) return false;
  follower.see(rows);
  return follower.tell({ all: true });
}

type KnownRow = { readonly costMicroUsd: number; readonly isLost: boolean };

async function knownRows(database: Database, ids: readonly string[]): Promise<Map<string, KnownRow>> {
  const known = new Map<string, KnownRow>();
  for (let start = 0; start < ids.length; start += IDS_PER_QUESTION) {
    const rows = await database
      .tables<LedgerTables>()
      .selectFrom("usage")
      .select(["id", "cost_micro_usd", "error_code"])
      .where("id", "in", ids.slice(start, start + IDS_PER_QUESTION))
      .execute();
    for (const { id, cost_micro_usd, error_code } of rows) {
      known.set(id, { costMicroUsd: cost_micro_usd ?? 0, isLost: error_code === LOST });
    }
  }
  return known;
}

function costOf({ costMicroUsd, opened }: TracedRequest): number {
  return costMicroUsd ?? Math.ceil(opened.worst.costMicroUsd ?? 0);
}

/** Nobody knows how far it got: it is put down for the most that it can have used. */
function rowOf(request: TracedRequest, diedMs: number): LedgerEntry {
  const { worst, isReplaced = false, ...known } = request.opened;
  const isPriced = request.costMicroUsd !== undefined || worst.costMicroUsd !== undefined;
  return boundedEntry({
    ...known,
    usage: { ...NO_USAGE, inputTokens: worst.inputTokens, outputTokens: worst.outputTokens },
    estimated: true,
    ...(isPriced ? { costMicroUsd: costOf(request) } : {}),
    latencyMs: Math.max(0, diedMs - known.at),
    status: 0,
    outcome: isReplaced ? "replaced" : "cut_off",
    errorCode: LOST,
  });
}
