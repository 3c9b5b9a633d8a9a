import { readFile } from "node:fs/promises";
import { api, type RouteDefinition, type RouteExplanation, type RouteInfo, type RouteList } from "@loom/api";
import { commandAudit } from "./command-audit.ts";
import { commandDatabase, commandKit } from "./command-database.ts";
import { takeServerConfig } from "./config.ts";
import { straightRouting } from "./features/gateway/straight-routing.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { routing } from "./features/routing/index.ts";
import { type RouteQuestion, requestOf } from "./features/routing/question.ts";
import { RouteError } from "./features/routing/service.ts";
import { openDatabase } from "./kit/database.ts";
import type { RoutePlace } from "./route-command-line.ts";
import { UsageError } from "./usage-error.ts";

type IfVersion = { readonly version?: number };

/** What can be done to routes, wherever they are. Every refusal is a UsageError. */
export type RouteDesk = {
  /** Whether it knows the circuit breakers, and which providers the server has. */
  readonly isLive: boolean;
  list(): Promise<RouteList>;
  put(name: string, definition: RouteDefinition, options: IfVersion): Promise<RouteInfo>;
  remove(name: string, options: IfVersion): Promise<RouteInfo>;
  explain(question: RouteQuestion): Promise<RouteExplanation>;
  close(): Promise<void>;
};

export function openRouteDesk(
  place: RoutePlace,
  env: NodeJS.ProcessEnv,
  options: { readonly mayMake: boolean },
): Promise<RouteDesk> {
  const { server } = place;
  return server === undefined ? openDatabaseDesk(place, env, options) : openServerDesk(server, place.tokenFile);
}

async function openDatabaseDesk(
  { dataDirectory }: RoutePlace,
  env: NodeJS.ProcessEnv,
  { mayMake }: { readonly mayMake: boolean },
): Promise<RouteDesk> {
  const place = commandDatabase(dataDirectory, env, { mayMake });
  // A copy: the keys of this process are not asked for, only the names of the providers.
  const config = takeServerConfig({ ...env });
  const database = await openDatabase({ ...place, migrations: MIGRATIONS });
  const record = commandAudit(dataDirectory, env);
  const needs = { config, straight: straightRouting(config), knowsProviders: false };
  const service = routing.build(commandKit(database), needs).services;
  try {
    await service.load();
  } catch (error) {
    await database.close();
    throw error;
  }
  return {
    isLive: false,
    list: () => service.list(),
    async put(name, definition, options) {
      const info = await told(service.put(name, definition, options));
      const target = { type: "route", id: name };
      await record(database, { event: "route.changed", outcome: "success", target, after: { ...definition } });
      return info;
    },
    async remove(name, options) {
      const info = await told(service.remove(name, options));
      await record(database, { event: "route.removed", outcome: "success", target: { type: "route", id: name } });
      return info;
    },
    explain: async (question) => service.explain(requestOf(question)),
    close: () => database.close(),
  };
}

async function told<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof RouteError ? new UsageError(error.message) : error;
  }
}

async function openServerDesk(server: string, tokenFile: string): Promise<RouteDesk> {
  const token = await readFile(tokenFile, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `The token in ${tokenFile} cannot be read (${error.code}): say where it is with --token-file.`,
    );
  });
  const call = async (method: string, path: string, body: unknown, { version }: IfVersion = {}): Promise<unknown> => {
    const match = version === 0 ? { "if-none-match": "*" } : { "if-match": `"${version}"` };
    const response = await fetch(new URL(path, server), {
      method,
      redirect: "error",
      headers: {
        authorization: `Bearer ${token.trim()}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(version === undefined ? {} : match),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new UsageError(`No Loom server answers at ${server}: start it, or leave --server out.`);
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok && answer !== undefined) return answer;
    const detail =
      typeof answer === "object" && answer !== null && "detail" in answer ? String(answer.detail) : undefined;
    throw new UsageError(detail ?? `${server} does not answer like a Loom server (HTTP ${response.status}).`);
  };
  const one = (name: string): string => `${api.routes.list.path}/${encodeURIComponent(name)}`;
  return {
    isLive: true,
    list: async () => (await call("GET", api.routes.list.path, undefined)) as RouteList,
    put: async (name, definition, options) => (await call("PUT", one(name), definition, options)) as RouteInfo,
    remove: async (name, options) => (await call("DELETE", one(name), undefined, options)) as RouteInfo,
    explain: async (question) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(question)) if (value !== undefined) query.set(name, value);
      return (await call("GET", `${api.routes.explain.path}?${query}`, undefined)) as RouteExplanation;
    },
    close: async () => {},
  };
}
