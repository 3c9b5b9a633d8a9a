import type { RouteDefinition, RouteExplanation, RouteInfo, RouteList } from "@loom/api";
import { takeServerConfig } from "../../config.ts";
import { startServer } from "../../index.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import type { PostgresAddress } from "../../kit/postgres-address.ts";
import type { RunningServer } from "../../server.ts";
import { ask, UPSTREAM_KEY } from "../gateway/gateway.testing.ts";
import { straightRouting } from "../gateway/straight-routing.ts";
import type { TestUpstream } from "../gateway/upstream.testing.ts";
import { BreakerBoard } from "./breaker-board.ts";
import type { NamedRoute } from "./route-table.ts";
import { createRoutingService, type RoutingService } from "./service.ts";

export type ServerHome = { readonly path: string; readonly postgres?: PostgresAddress | undefined };

export type Upstreams = {
  readonly anthropic: TestUpstream;
  readonly openai: TestUpstream;
  readonly gemini: TestUpstream;
};

export function environmentOf({ anthropic, openai, gemini }: Upstreams): Record<string, string> {
  return {
    LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_ANTHROPIC_BASE_URL: anthropic.url,
    LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_OPENAI_BASE_URL: `${openai.url}/v1`,
    LOOM_SERVER_OPENAI_MODEL: "gpt-5.4",
    LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_GEMINI_BASE_URL: gemini.url,
  };
}

/** Routing over a list of routes, with a clock that only the test moves. */
export async function routingOf(
  env: Readonly<Record<string, string>>,
  routes: readonly NamedRoute[],
  options: { readonly now?: () => number; readonly randomKey?: () => string } = {},
): Promise<RoutingService> {
  const config = takeServerConfig({ ...env });
  const { now = () => 0, randomKey } = options;
  const service = createRoutingService({
    store: {
      read: async (revision) =>
        revision === 1 ? undefined : { revision: 1, routes: routes.map((route) => ({ ...route, version: 1 })) },
      change: () => Promise.reject(new Error("This store does not change.")),
    },
    straight: straightRouting(config),
    board: new BreakerBoard(now),
    log: SILENT_LOG,
    file: undefined,
    providers: new Set(Object.keys(config.providers)),
    isSetUp: (name) => config.providers[name] !== undefined,
    knowsProviders: true,
    ...(randomKey === undefined ? {} : { randomKey }),
  });
  await service.load();
  return service;
}

/** A server that stays, on the database of `home`. */
export function startRoutingServer(
  { path: directory, postgres }: ServerHome,
  env: Readonly<Record<string, string>>,
): Promise<RunningServer> {
  return startServer({
    config: takeServerConfig({ ...env }),
    access: { type: "owner", tokenFile: `${directory}/owner-token`, replace: false },
    dataDirectory: directory,
    postgres,
    log: { level: "warn", destination: { file: `${directory}/server.log` } },
  });
}

/** The API of routes, as a program would use it. */
export function routesOf(url: string, token: string) {
  const call = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const answer = await ask(`${url}/api/admin/routes${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.status, headers: answer.headers, json: JSON.parse(answer.text) as unknown };
  };
  const at = (name: string): string => `/${encodeURIComponent(name)}`;
  return {
    call,
    list: async () => (await call("GET", "")).json as RouteList,
    put: async (name: string, definition: RouteDefinition, headers?: Record<string, string>) => {
      const { status, json } = await call("PUT", at(name), definition, headers);
      return { status, info: json as RouteInfo & { readonly detail?: string } };
    },
    remove: (name: string, headers?: Record<string, string>) => call("DELETE", at(name), undefined, headers),
    explain: async (query: string) => (await call("GET", `/explain?${query}`)).json as RouteExplanation,
  };
}

/** One target a tier. */
export function to(...targets: string[]): RouteDefinition {
  return { tiers: targets.map((target) => [{ target }]) };
}
