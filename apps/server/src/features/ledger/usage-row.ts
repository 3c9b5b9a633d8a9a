import { createHash } from "node:crypto";
import type { BudgetNode, LedgerEntry } from "../../gateway-types.ts";
import { durationClass } from "./duration-class.ts";
import type { UsageNodeRow } from "./migrations.ts";

/** No request comes near; a provider that says more is not believed, so that sums stay exact. */
const MAX_COUNT = 1e11;

/** The entry as the database has it: one value for each of `USAGE_COLUMNS`, in their order. */
export function valuesOf(entry: LedgerEntry): (string | number | null)[] {
  const { usage } = entry;
  const latencyMs = duration(entry.latencyMs);
  const firstByteMs = entry.firstByteMs === undefined ? null : duration(entry.firstByteMs);
  // A list from the start: it is made for every request, and looking thirty names up in an object takes as long as all else.
  return [
    entry.id,
    atMsOf(entry),
    entry.subject,
    pathOf(entry.nodes),
    entry.session ?? null,
    entry.client,
    entry.dialect,
    entry.upstream,
    entry.credentialId ?? null,
    entry.requestedModel,
    entry.model,
    entry.route,
    count(entry.attempts),
    count(usage.inputTokens),
    count(usage.outputTokens),
    count(usage.cacheReadTokens),
    count(usage.cacheWriteTokens),
    count(usage.cacheWriteLongTokens),
    count(usage.reasoningTokens),
    entry.estimated ? 1 : 0,
    entry.costMicroUsd === undefined ? null : count(entry.costMicroUsd),
    entry.priceVersion ?? null,
    latencyMs,
    firstByteMs,
    durationClass(latencyMs),
    firstByteMs === null ? null : durationClass(firstByteMs),
    count(entry.status),
    entry.outcome,
    entry.errorCode ?? null,
    entry.details === undefined ? null : JSON.stringify(entry.details),
  ];
}

/** Unix milliseconds, as the row has them. */
export function atMsOf({ at }: LedgerEntry): number {
  return Math.round(at);
}

/** The nodes of a row's path. */
export function nodeRowsOf(entry: LedgerEntry): UsageNodeRow[] {
  const path = pathOf(entry.nodes);
  const last_at_ms = atMsOf(entry);
  return entry.nodes.map(({ kind, id }) => ({ path, kind, node: id, last_at_ms }));
}

/** Known from its nodes alone, in every process: nobody has to look up what it is called. */
export function pathOf(nodes: readonly BudgetNode[]): string {
  if (nodes.length === 0) return "";
  // Those who ask often have one list for all their requests.
  if (nodes === last.nodes) return last.path;
  const path = digestOf(nodes);
  last = { nodes, path };
  return path;
}

let last: { readonly nodes: readonly BudgetNode[] | undefined; readonly path: string } = { nodes: undefined, path: "" };

function digestOf(nodes: readonly BudgetNode[]): string {
  const text = JSON.stringify(nodes.map(({ kind, id }) => [kind, id]));
  const known = paths.get(text);
  if (known !== undefined) return known;
  const path = createHash("sha256").update(text).digest("base64url").slice(0, 22);
  if (paths.size >= MAX_PATHS) paths.clear();
  paths.set(text, path);
  return path;
}

const paths = new Map<string, string>();
const MAX_PATHS = 1_000;

function count(value: number): number {
  return value > 0 ? Math.min(Math.round(value), MAX_COUNT) : 0;
}

/** The clock may have jumped. */
function duration(ms: number): number {
  return ms > 0 ? Math.min(ms, MAX_COUNT) : 0;
}
