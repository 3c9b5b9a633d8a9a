import type { Findings } from "./findings.ts";
import type { LedgerRow } from "./ledger-rows.ts";
import { WINDOW_MINUTES } from "./samples.ts";

export type Verdict = {
  readonly what: string;
  readonly found: string;
  readonly holds: boolean;
};

/** How much the line through the floors may gain. In a short time, a heap that only warms up looks like one that leaks. */
const MAX_GAIN_MEGABYTES = 40;
const JUDGED_MINUTES = 10;
/** When nothing runs any more. */
const MAX_HEAP_MEGABYTES = 100;
/** Files and the like that are opened when they are first needed. */
const MAX_MORE_DESCRIPTORS = 6;
/**
 * From a client's leaving to the provider's connection being closed: for most of them, and for anybody. The machine is
 * busy with faults and restarts here; how long it takes on a quiet one, the bench of the gateway says.
 */
const USUAL_ABORT_MS = 50;
const MAX_ABORT_MS = 10_000;

/** What has to hold at the end, each with what was found. */
export function verdictsOf(findings: Findings): Verdict[] {
  const { reconciliation, provider, before, after, metrics, plateau, books, problems, usage } = findings;
  const { lost, withoutRow } = reconciliation;
  const kills = findings.restarts.filter(({ kind }) => kind === "kill");
  const openAtKills = kills.reduce((sum, { open }) => sum + open, 0);
  const [sockets, descriptors] = [
    (after?.sockets ?? 0) - (before?.sockets ?? 0),
    (after?.descriptors ?? 0) - (before?.descriptors ?? 0),
  ];
  const aborts = abortDelays(findings);
  const cost = books.rows.reduce((sum, row) => sum + (row.costMicroUsd ?? 0), 0);
  const tokens = books.rows.reduce((sum, row) => sum + row.tokens.input + row.tokens.output, 0);
  return [
    ...reconciliation.balances.map(({ upstream, provider: theirs, ledger, excepted, adds }) => ({
      what: `the ledger's sums are the provider's: ${upstream}`,
      found: `${ledger.requests} rows + ${excepted.requests} excepted = ${theirs.requests} whole answers; tokens ${ledger.tokens.input} + ${excepted.tokens.input} in, ${ledger.tokens.output} + ${excepted.tokens.output} out`,
      holds: adds,
    })),
    {
      what: "every request is accounted for",
      found: `${reconciliation.problems.length} problems; ${reconciliation.compared.exact} exact, ${reconciliation.compared.estimated} estimated, ${reconciliation.compared.untouched} without use`,
      holds: reconciliation.problems.length === 0,
    },
    {
      what: "what a kill came before has a row, if it can have reached the provider",
      found: `${lost} rows of ${openAtKills} open at ${kills.length} kills; ${withoutRow} had reached nobody`,
      holds: lost + withoutRow <= openAtKills + kills.length,
    },
    {
      what: "GET /api/usage says what the rows say",
      found: `${usage.requests} requests, ${usage.costMicroUsd} micro-dollars; rows: ${books.rows.length}, ${cost}`,
      holds:
        usage.requests === books.rows.length &&
        usage.costMicroUsd === cost &&
        usage.tokens.input + usage.tokens.output === tokens,
    },
    ...spentVerdicts(findings),
    {
      what: "no reservation is left",
      found: `${metrics.open} requests open; no live server holds anything: ${!problems.some((each) => each.includes("still held"))}`,
      holds: metrics.open === 0,
    },
    {
      what: "no row waits or was given up",
      found: `${metrics.unwrittenRows} unwritten, ${metrics.droppedRows} dropped`,
      holds: metrics.unwrittenRows === 0 && metrics.droppedRows === 0,
    },
    {
      what: "no socket is left",
      found: `${provider.connections} to the provider, ${provider.open} requests there; ${sockets} more sockets and ${descriptors} more descriptors than at the start`,
      holds: provider.connections === 0 && provider.open === 0 && sockets <= 0 && descriptors <= MAX_MORE_DESCRIPTORS,
    },
    {
      what: "memory has a plateau",
      found: `${plateau.leastMegabytes.toFixed(0)} to ${plateau.mostMegabytes.toFixed(0)} MB over ${plateau.samples} samples; the least of each ${WINDOW_MINUTES} minutes: ${plateau.floorsMegabytes.map((each) => each.toFixed(0)).join(", ")}; the line through these gains ${plateau.gainMegabytes.toFixed(0)} MB${plateau.minutes < JUDGED_MINUTES ? "; too short to judge" : ""}`,
      holds: plateau.minutes < JUDGED_MINUTES || plateau.gainMegabytes <= MAX_GAIN_MEGABYTES,
    },
    {
      what: "the heap is small again when all is over",
      found: `${metrics.heapMegabytes.toFixed(0)} MB`,
      holds: metrics.heapMegabytes <= MAX_HEAP_MEGABYTES,
    },
    {
      what: "a client that leaves takes the provider's request along",
      found: `${aborts.delays.length} left, p50 ${percentile(aborts.delays, 0.5)} ms, p99 ${percentile(aborts.delays, 0.99)} ms, most ${percentile(aborts.delays, 1)} ms; ${aborts.never} never`,
      holds:
        aborts.never === 0 &&
        percentile(aborts.delays, 0.5) <= USUAL_ABORT_MS &&
        percentile(aborts.delays, 1) <= MAX_ABORT_MS,
    },
    { what: "nothing else went wrong", found: problems.join("; ") || "nothing", holds: problems.length === 0 },
  ];
}

/** What a token's budget counts is what its rows cost, whatever was killed. */
function spentVerdicts({ books, tokenIds }: Findings): Verdict[] {
  return [...tokenIds].flatMap(([name, id]) => {
    const spent = books.spent.get(id);
    if (spent === undefined) return [];
    const cost = sumOf(books.rows.filter((row) => row.subject === name));
    return [
      {
        what: `what ${name} has spent is what its rows cost`,
        found: `${spent} of ${cost} micro-dollars`,
        holds: spent === cost,
      },
    ];
  });
}

function sumOf(rows: readonly LedgerRow[]): number {
  return rows.reduce((sum, row) => sum + (row.costMicroUsd ?? 0), 0);
}

function abortDelays({ asked, served }: Findings): { readonly delays: readonly number[]; readonly never: number } {
  let never = 0;
  const delays: number[] = [];
  for (const { id, leftMs } of asked) {
    if (leftMs === undefined) continue;
    for (const attempt of served.get(id) ?? []) {
      if (attempt.aborted) delays.push(Math.max(0, attempt.endedMs - leftMs));
      else if (attempt.endedMs > leftMs + MAX_ABORT_MS && !attempt.whole) never += 1;
    }
  }
  return { delays: delays.sort((a, b) => a - b), never };
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
