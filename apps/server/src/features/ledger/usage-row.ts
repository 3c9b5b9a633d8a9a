import { createHash } from "node:crypto";
import type { BudgetNode, LedgerEntry } from "../../gateway-types.ts";
import { durationClass } from "./duration-class.ts";
import type { UsageNodeRow, UsageRow } from "./migrations.ts";

/** No request comes near; a provider that says more is not believed, so that sums stay exact. */
const MAX_COUNT = 1e11;

/** The entry as the database has it. */
export function rowOf(entry: LedgerEntry): UsageRow {
  const { usage } = entry;
  const latencyMs = duration(entry.latencyMs);
  const firstByteMs = entry.firstByteMs === undefined ? null : duration(entry.firstByteMs);
  return {
    id: entry.id,
    at_ms: Math.round(entry.at),
    subject: entry.subject,
    path: pathOf(entry.nodes),
    session: entry.session ?? null,
    client: entry.client,
    dialect: entry.dialect,
    upstream: entry.upstream,
    credential: entry.credentialId ?? null,
    requested_model: entry.requestedModel,
    model: entry.model,
    route: entry.route,
    attempts: count(entry.attempts),
    input_tokens: count(usage.inputTokens),
    output_tokens: count(usage.outputTokens),
    cache_read_tokens: count(usage.cacheReadTokens),
    cache_write_tokens: count(usage.cacheWriteTokens),
    cache_write_long_tokens: count(usage.cacheWriteLongTokens),
    reasoning_tokens: count(usage.reasoningTokens),
    estimated: entry.estimated ? 1 : 0,
    cost_micro_usd: entry.costMicroUsd === undefined ? null : count(entry.costMicroUsd),
    price_version: entry.priceVersion ?? null,
    latency_ms: latencyMs,
    first_byte_ms: firstByteMs,
    latency_class: durationClass(latencyMs),
    first_byte_class: firstByteMs === null ? null : durationClass(firstByteMs),
    status: count(entry.status),
    outcome: entry.outcome,
    error_code: entry.errorCode ?? null,
    details: entry.details === undefined ? null : JSON.stringify(entry.details),
  };
}

/** The nodes of a row's path. */
export function nodeRowsOf(entry: LedgerEntry): UsageNodeRow[] {
  const path = pathOf(entry.nodes);
  const last_at_ms = Math.round(entry.at);
  return entry.nodes.map(({ kind, id }) => ({ path, kind, node: id, last_at_ms }));
}

/** Known from its nodes alone, in every process: nobody has to look up what it is called. */
function pathOf(nodes: readonly BudgetNode[]): string {
  if (nodes.length === 0) return "";
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
