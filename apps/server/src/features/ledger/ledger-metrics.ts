import type { LedgerEntry } from "../../gateway-types.ts";
import type { Metrics } from "../../kit/metrics.ts";

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
      const sums = new Sums();
      for (const entry of entries) {
        const upstream = labelOf(entry.upstream);
        const { usage, costMicroUsd, outcome, dialect, errorCode = "" } = entry;
        const isRequest = outcome !== "replaced";
        if (isRequest) sums.add(requests, { upstream, outcome, dialect, code: errorCode }, 1);
        else sums.add(replaced, { upstream, code: errorCode }, 1);
        sums.add(tokens, { upstream, kind: "input" }, usage.inputTokens);
        sums.add(tokens, { upstream, kind: "output" }, usage.outputTokens);
        sums.add(tokens, { upstream, kind: "cache_read" }, usage.cacheReadTokens);
        sums.add(tokens, { upstream, kind: "cache_write" }, usage.cacheWriteTokens);
        sums.add(tokens, { upstream, kind: "reasoning" }, usage.reasoningTokens);
        if (costMicroUsd !== undefined) sums.add(cost, { upstream }, costMicroUsd / 1e6);
        else if (usesTokens(entry)) sums.add(unpriced, { upstream }, 1);
        if (!isRequest) continue;
        latency({ upstream }, entry.latencyMs / 1000);
        if (entry.firstByteMs !== undefined) firstByte({ upstream }, entry.firstByteMs / 1000);
      }
      sums.tell();
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

type Counter = ReturnType<Metrics["counter"]>;
type Labels = Parameters<Counter>[0];

/** A batch has few different labels and many rows. */
class Sums {
  readonly #byCounter = new Map<Counter, Map<string, { readonly labels: Labels; amount: number }>>();

  add(counter: Counter, labels: Labels, amount: number): void {
    if (!(amount > 0)) return;
    let sums = this.#byCounter.get(counter);
    if (sums === undefined) {
      sums = new Map();
      this.#byCounter.set(counter, sums);
    }
    const key = Object.values(labels).join("\n");
    const sum = sums.get(key);
    if (sum === undefined) sums.set(key, { labels, amount });
    else sum.amount += amount;
  }

  tell(): void {
    for (const [counter, sums] of this.#byCounter) {
      for (const { labels, amount } of sums.values()) counter(labels, amount);
    }
  }
}
