import { api } from "@loom/api";
import type { HealthCheck } from "../../kit/feature.ts";
import { defineFeature } from "../../kit/feature.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { Reply, route } from "../../kit/route.ts";
import { createReadiness, type Readiness } from "./readiness.ts";

export type HealthNeeds = { readonly checks: () => readonly HealthCheck[]; readonly isStopping: () => boolean };

/** Is the process alive, can it do its work, and what is it doing: for those who watch over it. */
export const health = defineFeature<{ readonly readiness: Readiness; readonly metrics: Metrics }, HealthNeeds>({
  name: "health",
  services: ({ metrics, log }, needs) => ({ metrics, readiness: createReadiness({ ...needs, log }) }),
  routes: ({ readiness, metrics }) => [
    route(api.system.healthz, { action: "read", resource: { type: "system" } }, () => ({ status: "ok" as const })),
    route(api.system.readyz, { action: "read", resource: { type: "system" } }, async () => {
      const state = await readiness.check();
      return new Reply(state, { status: state.status === "ready" ? 200 : 503 });
    }),
    route(
      api.system.metrics,
      { action: "read", resource: { type: "system" } },
      async () =>
        new Reply(await metrics.render(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } }),
    ),
  ],
});
