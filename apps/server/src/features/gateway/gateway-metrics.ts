import type { Usage } from "@loom/core";
import type { Metrics } from "../../kit/metrics.ts";

export type GatewayMetrics = {
  opened(): void;
  closed(): void;
  /** `outcome`: `completed`, `cancelled`, `cut_off` or an error code. */
  finished(provider: string, outcome: string): void;
  used(provider: string, usage: Usage, costMicroUsd: number | undefined): void;
};

/** What is added up for one provider until somebody asks. */
type Sums = {
  readonly outcomes: Map<string, number>;
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  costMicroUsd: number;
  priced: boolean;
  unpriced: number;
};

/** Labels are providers, outcomes and kinds of tokens. Never models: a client can make up as many as it likes. */
export function createGatewayMetrics(metrics: Metrics): GatewayMetrics {
  let open = 0;
  metrics.observed({
    name: "loom_llm_requests_open",
    help: "Requests for models that are being answered.",
    type: "gauge",
    read: () => open,
  });
  const requests = metrics.counter({
    name: "loom_llm_requests_total",
    help: "Requests to providers, by how they ended.",
    labels: ["provider", "outcome"],
  });
  const tokens = metrics.counter({
    name: "loom_llm_tokens_total",
    help: "Tokens that providers counted; the kinds do not overlap.",
    labels: ["provider", "kind"],
  });
  const cost = metrics.counter({
    name: "loom_llm_cost_dollars_total",
    help: "Cost of answers with a known price, in US dollars.",
    labels: ["provider"],
  });
  const unpriced = metrics.counter({
    name: "loom_llm_unpriced_responses_total",
    help: "Answers whose price is not known.",
    labels: ["provider"],
  });
  const sums = new Map<string, Sums>();

  function sumsOf(provider: string): Sums {
    let known = sums.get(provider);
    if (known === undefined) {
      known = {
        outcomes: new Map(),
        input: 0,
        output: 0,
        cacheRead: 0,
        cacheWrite: 0,
        costMicroUsd: 0,
        priced: false,
        unpriced: 0,
      };
      sums.set(provider, known);
    }
    return known;
  }

  metrics.beforeScrape(() => {
    for (const [provider, sum] of sums) {
      for (const [outcome, count] of sum.outcomes) requests({ provider, outcome }, count);
      tokens({ provider, kind: "input" }, sum.input);
      tokens({ provider, kind: "output" }, sum.output);
      tokens({ provider, kind: "cache_read" }, sum.cacheRead);
      tokens({ provider, kind: "cache_write" }, sum.cacheWrite);
      if (sum.priced) cost({ provider }, sum.costMicroUsd / 1e6);
      if (sum.unpriced > 0) unpriced({ provider }, sum.unpriced);
    }
    sums.clear();
  });

  return {
    opened() {
      open += 1;
    },
    closed() {
      open -= 1;
    },
    finished(provider, outcome) {
      const { outcomes } = sumsOf(provider);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    },
    used(provider, usage, costMicroUsd) {
      const sum = sumsOf(provider);
      sum.input += usage.inputTokens;
      sum.output += usage.outputTokens;
      sum.cacheRead += usage.cacheReadTokens;
      sum.cacheWrite += usage.cacheWriteTokens;
      if (costMicroUsd === undefined) sum.unpriced += 1;
      else {
        sum.priced = true;
        sum.costMicroUsd += costMicroUsd;
      }
    },
  };
}
