import type { Usage } from "@loom/core";
import type { Metrics } from "../../kit/metrics.ts";

export type GatewayMetrics = {
  opened(): void;
  closed(): void;
  /** `outcome`: `completed`, `cancelled`, `cut_off` or an error code. */
  finished(provider: string, outcome: string): void;
  used(provider: string, usage: Usage, costMicroUsd: number | undefined): void;
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
  return {
    opened() {
      open += 1;
    },
    closed() {
      open -= 1;
    },
    finished: (provider, outcome) => requests({ provider, outcome }),
    used(provider, usage, costMicroUsd) {
      tokens({ provider, kind: "input" }, usage.inputTokens);
      tokens({ provider, kind: "output" }, usage.outputTokens);
      if (usage.cacheReadTokens > 0) tokens({ provider, kind: "cache_read" }, usage.cacheReadTokens);
      if (usage.cacheWriteTokens > 0) tokens({ provider, kind: "cache_write" }, usage.cacheWriteTokens);
      if (costMicroUsd === undefined) unpriced({ provider });
      else cost({ provider }, costMicroUsd / 1e6);
    },
  };
}
