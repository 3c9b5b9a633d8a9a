import type { IncomingMessage } from "node:http";
import type { LlmEvent, LlmRequest, LlmResponse } from "@loom/core";
import { loomEvents } from "@loom/llm";
import { api } from "../contract.ts";
import { EventBatches } from "../http/event-batches.ts";
import type { Connections } from "../http/exchange.ts";
import { createConnections, exchange } from "../http/exchange.ts";
import { responseText } from "../http/response-text.ts";
import type { Models } from "../models.ts";
import type { UsageQuery, UsageReport } from "../usage.ts";
import { apiError, errorFromResponse, notLoom, sentenceAbout } from "./loom-api-error.ts";

/** Milliseconds. A server sends something every 15 s while it waits for a model. */
export type LoomClientDeadlines = {
  readonly connectMs: number;
  /** To the header section of a streamed answer: the server holds it back until the model begins. */
  readonly headersMs: number;
  readonly firstEventMs: number;
  /** Between two events. */
  readonly gapMs: number;
  /** Between two chunks, keep-alives too: longer, and the server is gone. */
  readonly silenceMs: number;
  /** To the header section of an answer that comes in one piece. */
  readonly completeMs: number;
};

/** A little longer than the server waits for a provider, so that its better explanation comes first. */
export const DEFAULT_CLIENT_DEADLINES: LoomClientDeadlines = {
  connectMs: 10_000,
  headersMs: 180_000,
  firstEventMs: 180_000,
  gapMs: 180_000,
  silenceMs: 60_000,
  completeMs: 660_000,
};

export type LoomClientOptions = {
  /** e.g. `https://loom.example.com`; a path in it is kept. */
  readonly baseUrl: string;
  /** Asked before every request. */
  readonly token: () => string | Promise<string>;
  readonly deadlines?: Partial<LoomClientDeadlines>;
};

export type RequestOptions = { readonly signal?: AbortSignal | undefined };

export type LoomClient = {
  /**
   * Never throws: failure, also before the first byte, is the last event. One batch for each network chunk.
   * `provider` may be `default`.
   */
  stream(provider: string, request: LlmRequest, options?: RequestOptions): AsyncIterable<readonly LlmEvent[]>;
  /** @throws LoomApiError */
  complete(provider: string, request: LlmRequest, options?: RequestOptions): Promise<LlmResponse>;
  /** @throws LoomApiError */
  models(options?: RequestOptions): Promise<Models>;
  /** @throws LoomApiError */
  usage(query: UsageQuery, options?: RequestOptions): Promise<UsageReport>;
  /** Gives up the kept connections. */
  close(): void;
};

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_PROBLEM_BYTES = 64 * 1024;
const PROBLEM_TOTAL_MS = 10_000;

/** A client for one server. Follows no redirect, uses no proxy; trusts the certificates that Node trusts. */
export function createLoomClient(options: LoomClientOptions): LoomClient {
  const base = new URL(options.baseUrl);
  const server = `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
  const deadlines = { ...DEFAULT_CLIENT_DEADLINES, ...options.deadlines };
  const connections = createConnections();
  const context = { server, connections, deadlines, token: options.token };

  return {
    async *stream(provider, request, { signal } = {}) {
      let batches: EventBatches;
      try {
        batches = await openStream(context, pathFor(api.llm.stream.path, provider), JSON.stringify(request), signal);
      } catch (error) {
        yield [{ type: "error", error: apiError(error, server).toFailure() }];
        return;
      }
      yield* batches;
    },
    async complete(provider, request, { signal } = {}) {
      const path = pathFor(api.llm.complete.path, provider);
      const value = await requestJson(context, { method: "POST", path, body: JSON.stringify(request), signal });
      if (!isLlmResponse(value)) throw notLoom(server, "answered with something that is no model's answer");
      return value;
    },
    async models({ signal } = {}) {
      const value = await requestJson(context, { method: "GET", path: api.llm.models.path, signal });
      if (!isModels(value)) throw notLoom(server, "answered with something that is no list of models");
      return value;
    },
    async usage(query, { signal } = {}) {
      const path = `${api.usage.get.path}?${queryText(query)}`;
      const value = await requestJson(context, { method: "GET", path, signal });
      if (!isUsageReport(value)) throw notLoom(server, "answered with something that is no report of usage");
      return value;
    },
    close: () => connections.close(),
  };
}

type Context = {
  readonly server: string;
  readonly connections: Connections;
  readonly deadlines: LoomClientDeadlines;
  readonly token: () => string | Promise<string>;
};

type Call = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
};

async function openStream(context: Context, path: string, body: string, signal: AbortSignal | undefined) {
  const { server, deadlines } = context;
  const response = await send(
    context,
    { method: "POST", path, body, signal },
    "text/event-stream",
    deadlines.headersMs,
  );
  if (!contentType(response).startsWith("text/event-stream")) {
    response.destroy();
    throw notLoom(server, "answered with something that is no event stream");
  }
  return new EventBatches(response, loomEvents.decoder(), { deadlines, signal, sentence: sentenceAbout(server) });
}

async function requestJson(context: Context, call: Call): Promise<unknown> {
  const { server, deadlines } = context;
  try {
    const response = await send(context, call, "application/json", deadlines.completeMs);
    const text = await responseText(response, {
      maxBytes: MAX_ANSWER_BYTES,
      larger: "fail",
      gapMs: deadlines.gapMs,
      totalMs: deadlines.completeMs,
      signal: call.signal,
    });
    return parseJson(text, server);
  } catch (error) {
    throw apiError(error, server);
  }
}

/** Gives a response with a 2xx status, or throws what the server said instead. */
async function send(context: Context, call: Call, accept: string, headersMs: number): Promise<IncomingMessage> {
  const { server, connections, deadlines } = context;
  const response = await exchange({
    url: new URL(`${server}${call.path}`),
    method: call.method,
    headers: {
      accept,
      authorization: `Bearer ${await context.token()}`,
      ...(call.body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(call.body === undefined ? {} : { body: call.body }),
    connections,
    deadlines: { connectMs: deadlines.connectMs, headersMs },
    signal: call.signal,
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const body = await responseText(response, {
    maxBytes: MAX_PROBLEM_BYTES,
    larger: "cut",
    gapMs: PROBLEM_TOTAL_MS,
    totalMs: PROBLEM_TOTAL_MS,
    signal: call.signal,
  });
  throw errorFromResponse({ status, contentType: contentType(response), body }, server);
}

function pathFor(template: string, provider: string): string {
  return template.replace("{provider}", encodeURIComponent(provider));
}

function queryText(query: { readonly [name: string]: string | number | undefined }): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) text.set(name, String(value));
  return text.toString();
}

function contentType(response: IncomingMessage): string {
  return response.headers["content-type"] ?? "";
}

function parseJson(text: string, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notLoom(server, "answered with something that is no JSON");
  }
}

// The server validates what it sends by its types; these tell a Loom server from whatever else may answer.
function isLlmResponse(value: unknown): value is LlmResponse {
  if (typeof value !== "object" || value === null || !("message" in value)) return false;
  const { message } = value;
  return typeof message === "object" && message !== null && "content" in message && Array.isArray(message.content);
}

function isModels(value: unknown): value is Models {
  return typeof value === "object" && value !== null && "providers" in value && Array.isArray(value.providers);
}

function isUsageReport(value: unknown): value is UsageReport {
  return typeof value === "object" && value !== null && "groups" in value && Array.isArray(value.groups);
}
