import type { Metrics } from "../../kit/metrics.ts";

export type GatewayMetrics = {
  opened(): void;
  closed(): void;
};

/** What runs. What was used and how it ended is counted from the rows of the ledger. */
export function createGatewayMetrics(metrics: Metrics): GatewayMetrics {
  let open = 0;
  metrics.observed({
    name: "loom_gateway_requests_open",
    help: "Requests for models that are being answered.",
    type: "gauge",
    read: () => open,
  });
  return {
    opened() {
      open += 1;
    },
    closed() {
      open -= 1;
    },
  };
}
