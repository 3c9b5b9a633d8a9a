import type { Contract, PathParams, ResponseOf, RouteSchemas } from "../contract-definition.ts";
import {
  type ClientContext,
  clientContext,
  queryText,
  type RequestDeadlines,
  requestJson,
  send,
} from "./client-request.ts";
import { apiError, notLoom } from "./loom-api-error.ts";

/** What goes with a question, besides its contract. */
export type Question<Path extends string> = {
  readonly params?: PathParams<Path>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: object;
  /** The version that a change is meant for. */
  readonly ifMatch?: number;
};

/** Asks any route of a server that answers with a document. */
export type JsonClient = {
  /** @throws LoomApiError */
  ask<const Path extends string, Schemas extends RouteSchemas>(
    contract: Contract<Path, Schemas, "json">,
    question: Question<Path>,
  ): Promise<ResponseOf<Schemas>>;
  /** The answer in pieces, as they come. @throws LoomApiError */
  read<const Path extends string, Schemas extends RouteSchemas>(
    contract: Contract<Path, Schemas, "text">,
    question: Question<Path>,
  ): AsyncIterable<Uint8Array>;
  /** Gives up the kept connections. */
  close(): void;
};

export type JsonClientOptions = {
  /** e.g. `https://loom.example.com`; a path in it is kept. */
  readonly baseUrl: string;
  /** Asked before every request. */
  readonly token: () => string | Promise<string>;
};

const DEADLINES: RequestDeadlines = { connectMs: 10_000, gapMs: 30_000, completeMs: 60_000 };

export function createJsonClient(options: JsonClientOptions): JsonClient {
  const context: ClientContext = { ...clientContext(options), deadlines: DEADLINES };
  return {
    async ask({ method, path }, { params, query = {}, body, ifMatch }) {
      const text = queryText(query);
      const value = await requestJson(context, {
        method,
        path: `${filledIn(path, params)}${text === "" ? "" : `?${text}`}`,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(ifMatch !== undefined && { headers: { "if-match": `"${ifMatch}"` } }),
      });
      // The server validates what it sends by its types; this tells a Loom server from whatever else may answer.
      if (typeof value === "object" && value !== null) return value as never;
      throw notLoom(context.server, "answered with something that was not asked for");
    },
    async *read({ method, path }, { params, query = {} }) {
      const text = queryText(query);
      const call = { method, path: `${filledIn(path, params)}${text === "" ? "" : `?${text}`}` };
      try {
        yield* await send(context, call, "*/*", DEADLINES.completeMs);
      } catch (error) {
        throw apiError(error, context.server);
      }
    },
    close: () => context.connections.close(),
  };
}

function filledIn(path: string, params: unknown = {}): string {
  const values = params as Readonly<Record<string, string>>;
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
}
