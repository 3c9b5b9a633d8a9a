import type { BreakerState } from "@loom/api";
import type { ServerConfig } from "../../config.ts";
import type { Routing } from "../../gateway-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { PROVIDER_NAMES } from "../../provider-config.ts";
import { BreakerBoard } from "./breaker-board.ts";
import { migrations } from "./migrations.ts";
import { routingRoutes } from "./routes.ts";
import { createRoutingService, type RoutingService } from "./service.ts";
import { createRouteStore } from "./store.ts";

export type RoutingNeeds = {
  readonly config: Pick<ServerConfig, "providers" | "routesFile">;
  /** Where there is no route. */
  readonly straight: Routing;
  /** See `RoutingOptions`; default: true. */
  readonly knowsProviders?: boolean;
  /** Monotonic milliseconds, for the breakers. */
  readonly now?: () => number;
};

/** Which models stand behind a name, whom to ask when the first cannot, and who is not asked for a while. */
export const routing = defineFeature<RoutingService, RoutingNeeds>({
  name: "routing",
  migrations,
  onPurge: "nothing",
  services: ({ database, log, metrics }, needs) => {
    const { config, straight, knowsProviders = true, now = () => performance.now() } = needs;
    const { providers, routesFile } = config;
    const service = createRoutingService({
      store: createRouteStore(database),
      straight,
      board: new BreakerBoard(now),
      log,
      file: routesFile,
      providers: new Set([...PROVIDER_NAMES, ...Object.keys(providers)]),
      isSetUp: (name) => providers[name] !== undefined,
      knowsProviders,
    });
    metrics.observedAll({
      name: "loom_gateway_breaker_state",
      help: "The worst circuit breaker of an upstream: 0 closed, 1 half open, 2 open.",
      labels: ["upstream"],
      read: () =>
        Object.keys(providers).map((upstream) => ({
          labels: { upstream },
          value: STATES[service.breakerOf(upstream)],
        })),
    });
    return service;
  },
  routes: routingRoutes,
  jobs: (service) => [every("0.5 s", "refresh_routes", () => service.refresh())],
});

const STATES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };
