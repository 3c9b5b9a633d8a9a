import type { LedgerEntry } from "../../gateway-types.ts";
import type { Labels, Metrics, Observer } from "../../kit/metrics.ts";

export type LedgerMetrics = {
  /** Off the request's path, in batches. */
  count(entries: readonly LedgerEntry[]): void;
  /** What `read` gives is asked for with every scrape. */
  observe(read: () => LedgerState): void;
};

export type LedgerState = {
  /** Rows that are in this process's memory only. */
  readonly unwrittenRows: number;
  /** Bytes in the journal that wait for the database or for the follower. */
  readonly journalBytes: number;
  /** Rows given up since the start, because nothing could be written. */
  readonly droppedRows: number;
  readonly healthy: boolean;
};

/** Seconds. A model may take minutes; what Loom itself adds is below the first. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Names in refused requests are the client's: only so many upstreams are told apart. */
const MAX_UPSTREAMS = 64;

/** Labels are upstreams, outcomes, dialects and kinds of tokens: never models, subjects or clients. */
export function createLedgerMetrics(metrics: Metrics): LedgerMetrics {
  const requests = metrics.counter({
    name: "loom_gateway_requests_total",
    help: "Requests for models, by how they ended; the code says why where they failed.",
    labels: ["upstream", "outcome", "dialect", "code"],
  });
  const tokens = metrics.counter({
    name: "loom_gateway_tokens_total",
    help: "Tokens used; the kinds do not overlap, but for reasoning, which is part of output.",
    labels: ["upstream", "kind"],
  });
  const cost = metrics.counter({
    name: "loom_gateway_cost_dollars_total",
    help: "Cost of requests with a known price, in US dollars.",
    labels: ["upstream"],
  });
  const unpriced = metrics.counter({
    name: "loom_gateway_unpriced_requests_total",
    help: "Requests that used tokens whose price is not known.",
    labels: ["upstream"],
  });
  const latency = metrics.histogram({
    name: "loom_gateway_request_duration_seconds",
    help: "Time from a request to the end of its answer.",
    labels: ["upstream"],
    buckets: SECONDS,
  });
  const firstByte = metrics.histogram({
    name: "loom_gateway_first_byte_seconds",
    help: "Time from a request to the first byte of its answer.",
    labels: ["upstream"],
    buckets: SECONDS,
  });
  const replaced = metrics.counter({
    name: "loom_gateway_replaced_attempts_total",
    help: "Attempts that reached an upstream, came to nothing, and had another in their place.",
    labels: ["upstream", "code"],
  });
  const upstreams = new Set<string>();
  const labelOf = (upstream: string): string => {
    if (upstream === "") return "none";
    if (upstreams.has(upstream)) return upstream;
    if (upstreams.size >= MAX_UPSTREAMS) return "other";
    upstreams.add(upstream);
    return upstream;
  };

  return {
    count(entries) {
      for (const sum of sumsOf(entries, labelOf)) {
        const { upstream, outcome, dialect, code } = sum;
        const ofUpstream = { upstream };
        if (outcome === "replaced") replaced({ upstream, code }, sum.rows);
        else requests({ upstream, outcome, dialect, code }, sum.rows);
        for (const kind of KINDS) if (sum[kind] > 0) tokens({ upstream, kind }, sum[kind]);
        if (sum.costMicroUsd > 0) cost(ofUpstream, sum.costMicroUsd / 1e6);
        if (sum.unpriced > 0) unpriced(ofUpstream, sum.unpriced);
        observeAll(latency, ofUpstream, sum.latenciesMs);
        observeAll(firstByte, ofUpstream, sum.firstBytesMs);
      }
    },
    observe(read) {
      metrics.observed({
        name: "loom_ledger_unwritten_rows",
        help: "Rows of the ledger that are in memory only.",
        type: "gauge",
        read: () => read().unwrittenRows,
      });
      metrics.observed({
        name: "loom_ledger_journal_bytes",
        help: "Bytes in the ledger's journal that wait for the database or the audit log.",
        type: "gauge",
        read: () => read().journalBytes,
      });
      metrics.observed({
        name: "loom_ledger_dropped_rows_total",
        help: "Rows of the ledger given up because nothing could be written.",
        type: "counter",
        read: () => read().droppedRows,
      });
      metrics.observed({
        name: "loom_ledger_healthy",
        help: "1 while the ledger keeps up, 0 while requests are refused because it does not.",
        type: "gauge",
        read: () => (read().healthy ? 1 : 0),
      });
    },
  };
}

function usesTokens({ usage }: LedgerEntry): boolean {
  return usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens > 0;
}

/** Without one, there is no series either. */
function observeAll(observer: Observer, labels: Labels, allMs: readonly number[]): void {
  if (allMs.length === 0) return;
  const observe = observer.of(labels);
  for (const ms of allMs) observe(ms / 1000);
}

const KINDS = ["input", "output", "cache_read", "cache_write", "reasoning"] as const;

/** What the rows of a batch that have the same labels come to. */
type Sum = Record<(typeof KINDS)[number] | "rows" | "costMicroUsd" | "unpriced", number> & {
  readonly upstream: string;
  readonly outcome: LedgerEntry["outcome"];
  readonly dialect: string;
  readonly code: string;
  /** Of requests, not of attempts that were replaced. */
  readonly latenciesMs: number[];
  readonly firstBytesMs: number[];
};

/** A batch has few different labels and many rows. */
function sumsOf(entries: readonly LedgerEntry[], labelOf: (upstream: string) => string): Iterable<Sum> {
  const sums = new Map<string, Sum>();
  for (const entry of entries) {
    const { usage, outcome, dialect, errorCode: code = "", costMicroUsd, firstByteMs } = entry;
    const upstream = labelOf(entry.upstream);
    const key = `${upstream}\n${outcome}\n${dialect}\n${code}`;
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = { ...NOTHING, upstream, outcome, dialect, code, latenciesMs: [], firstBytesMs: [] };
      sums.set(key, sum);
    }
    sum.rows += 1;
    sum.input += counted(usage.inputTokens);
    sum.output += counted(usage.outputTokens);
    sum.cache_read += counted(usage.cacheReadTokens);
    sum.cache_write += counted(usage.cacheWriteTokens);
    sum.reasoning += counted(usage.reasoningTokens);
    if (costMicroUsd !== undefined) sum.costMicroUsd += counted(costMicroUsd);
    else if (usesTokens(entry)) sum.unpriced += 1;
    if (outcome === "replaced") continue;
    sum.latenciesMs.push(entry.latencyMs);
    if (firstByteMs !== undefined) sum.firstBytesMs.push(firstByteMs);
  }
  return sums.values();
}

/** A row that is not what its type says costs nobody else his count. */
function counted(amount: number): number {
  return amount > 0 ? amount : 0;
}

const NOTHING = {
  rows: 0,
  input: 0,
  output: 0,
  cache_read: 0,
  cache_write: 0,
  reasoning: 0,
  costMicroUsd: 0,
  unpriced: 0,
} as const;
