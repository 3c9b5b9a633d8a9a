import { api } from "@loom/api";
import { ScopedMemory, SealMemory } from "@loom/llm";
import type { ServerConfig } from "../../config.ts";
import type { Budgets, Credentials, RequestTrace, Routing } from "../../gateway-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { flat } from "../../kit/flat-text.ts";
import { every } from "../../kit/jobs.ts";
import { LiveList } from "../../kit/live-list.ts";
import type { RawRoute } from "../../kit/raw-route.ts";
import { route } from "../../kit/route.ts";
import type { Subject } from "../../kit/subject.ts";
import type { Prices } from "../ledger/prices.ts";
import type { Asker } from "./candidates.ts";
import { Deadlines } from "./deadlines.ts";
import { createDefaultModels } from "./default-models.ts";
import { type Entrance, openRequest } from "./entrance.ts";
import { createGatewayMetrics } from "./gateway-metrics.ts";
import { createLightTransport } from "./light-transport.ts";
import { listModels, modelNames } from "./model-list.ts";
import type { GatewayParts, HealthyLedger } from "./parts.ts";
import { createPoolTransport } from "./pool-transport.ts";
import { DIALECT_PREFIXES, isAmbiguousPath, type Target, targetOfDialect, targetOfProxy } from "./target.ts";
import { upstreamsOf } from "./upstreams.ts";

/** Silence in front of a client after which middle boxes begin to doubt; some give up after half a minute. */
const KEEP_ALIVE_MS = 15_000;

/** Of all answers together, see `GatewayParts.items`. */
const MAX_ITEMS = 10_000;
const MAX_ITEM_CHARACTERS = 32 * 1024 * 1024;

export type GatewayNeeds = {
  readonly config: ServerConfig;
  readonly keepAliveMs?: number | undefined;
  /** For a server that stays: dearer to start, cheaper for each request. */
  readonly pooled: boolean;
  readonly routing: Routing;
  readonly credentials: Credentials;
  readonly budgets?: Budgets | undefined;
  readonly ledger?: HealthyLedger | undefined;
  readonly trace?: RequestTrace | undefined;
  readonly prices: Prices;
  /** Whom the budgets and the ledger know a subject as. */
  readonly askerOf: (subject: Subject) => Asker;
  readonly originOf: GatewayParts["originOf"];
};

export type GatewayService = Entrance & { models(): ReturnType<typeof listModels>; close(): void };

/** Every provider for every client: native paths, dialects, and Loom's own requests. The providers' keys stay here. */
export const gateway = defineFeature<GatewayService, GatewayNeeds>({
  name: "gateway",
  services: ({ redact, metrics }, needs) => {
    const { config, keepAliveMs = KEEP_ALIVE_MS, routing, credentials, budgets, ledger, askerOf } = needs;
    const { deadlines } = config;
    const transport = needs.pooled ? createPoolTransport(deadlines) : createLightTransport(deadlines);
    const defaults = createDefaultModels({ transport, timeoutMs: deadlines.connectMs });
    const models = () => listModels(config, routing, defaults.known);
    const headersFor = async (upstream: string) => {
      const lease = credentials.lease(upstream, {});
      lease?.report({ type: "cancelled" });
      return (await lease?.headers()) ?? {};
    };
    const parts: GatewayParts = {
      upstreams: upstreamsOf(config),
      transport,
      routing,
      credentials,
      budgets,
      ledger,
      trace: needs.trace,
      prices: needs.prices,
      open: new LiveList(),
      metrics: createGatewayMetrics(metrics),
      deadlines,
      clock: new Deadlines(),
      keepAliveMs,
      redact,
      withoutStreamUsage: new Set(),
      seals: new SealMemory(),
      items: new ScopedMemory({ maxEntries: MAX_ITEMS, maxSize: MAX_ITEM_CHARACTERS }),
      originOf: needs.originOf,
      defaultModel: defaults.find,
    };
    return {
      parts,
      askerOf,
      models,
      modelNames: async () => {
        const lists = Object.keys(config.providers).map(async (name) => {
          const upstream = parts.upstreams.get(name);
          return [name, upstream === undefined ? [] : await defaults.list(upstream, () => headersFor(name))] as const;
        });
        return modelNames(models(), routing.aliases(), new Map(await Promise.all(lists)));
      },
      close: () => transport.close(),
    };
  },
  routes: (service) => [route(api.llm.models, { action: "read", resource: { type: "model" } }, () => service.models())],
  jobs: ({ parts }) => [
    every("1 min", "extend_reservations", async () => {
      for (const exchange of parts.open.all()) exchange.touch();
    }),
  ],
  rawRoutes: (service) => [proxyRoute(service), ...dialectRoutes(service)],
});

function proxyRoute(service: GatewayService): RawRoute {
  const kindOf = (name: string) => service.parts.upstreams.get(name)?.config.kind;
  return {
    prefix: "/proxy/",
    readsWhole: wholeBodies((path) => targetOfProxy(path.slice("/proxy".length), "", kindOf)),
    contracts: [api.llm.complete, api.llm.stream],
    open: (call) =>
      openRequest(service, call, "loom", (path, query) => targetOfProxy(path.slice("/proxy".length), query, kindOf)),
  };
}

function dialectRoutes(service: GatewayService): RawRoute[] {
  return Object.entries(DIALECT_PREFIXES).map(([prefix, dialect]) => ({
    prefix,
    readsWhole: wholeBodies((path) => targetOfDialect(path.slice(prefix.length - 1), "", dialect)),
    contracts: [],
    open: (call) =>
      openRequest(service, call, dialect, (path, query) =>
        targetOfDialect(path.slice(prefix.length - 1), query, dialect),
      ),
  }));
}

/** The same few come all the time. */
const MAX_KNOWN_PATHS = 1_000;
const MAX_KNOWN_PATH = 200;

function wholeBodies(targetOf: (path: string) => Target | undefined): (url: string) => boolean {
  const known = new Set<string>();
  return (url) => {
    const end = url.indexOf("?");
    const path = end === -1 ? url : url.slice(0, end);
    if (known.has(path)) return true;
    const operation = isAmbiguousPath(path) ? undefined : targetOf(path)?.operation;
    if (operation !== "generate" && operation !== "count_tokens") return false;
    if (path.length > MAX_KNOWN_PATH) return true;
    if (known.size >= MAX_KNOWN_PATHS) known.clear();
    known.add(flat(path));
    return true;
  };
}
