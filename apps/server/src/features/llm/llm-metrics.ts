import type { LlmResponse } from "@loom/core";
import type { Metrics } from "../../kit/metrics.ts";

export type LlmMetrics = {
  streamOpened(): void;
  streamClosed(): void;
  /** `outcome`: `completed`, `cancelled` or an error code. */
  finished(provider: string, outcome: string): void;
  answered(provider: string, response: LlmResponse): void;
};

/** Labels are providers, outcomes and kinds of tokens. Never models: a client can make up as many as it likes. */
export function createLlmMetrics(metrics: Metrics): LlmMetrics {
  let open = 0;
  metrics.observed({
    name: "loom_llm_streams_open",
    help: "Answers of providers that are being streamed to clients.",
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
    streamOpened() {
      open += 1;
    },
    streamClosed() {
      open -= 1;
    },
    finished: (provider, outcome) => requests({ provider, outcome }),
    answered(provider, { usage, costMicroUsd }) {
      tokens({ provider, kind: "input" }, usage.inputTokens);
      tokens({ provider, kind: "output" }, usage.outputTokens);
      tokens({ provider, kind: "cache_read" }, usage.cacheReadTokens);
      tokens({ provider, kind: "cache_write" }, usage.cacheWriteTokens);
      if (costMicroUsd === undefined) unpriced({ provider });
      else cost({ provider }, costMicroUsd / 1e6);
    },
  };
}
