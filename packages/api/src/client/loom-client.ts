import type { LlmEvent, LlmRequest, LlmResponse } from "@loom/core";
import { loomEvents } from "@loom/llm";
import { api } from "../contract.ts";
import { EventBatches } from "../http/event-batches.ts";
import type { Models } from "../models.ts";
import type { UsageQuery, UsageReport } from "../usage.ts";
import { type ClientContext, clientContext, contentType, queryText, requestJson, send } from "./client-request.ts";
import { apiError, notLoom, sentenceAbout } from "./loom-api-error.ts";

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

/** A client for one server. Follows no redirect, uses no proxy; trusts the certificates that Node trusts. */
export function createLoomClient(options: LoomClientOptions): LoomClient {
  const deadlines = { ...DEFAULT_CLIENT_DEADLINES, ...options.deadlines };
  const context = { ...clientContext(options), deadlines };
  const { server, connections } = context;

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

async function openStream(
  context: ClientContext & { readonly deadlines: LoomClientDeadlines },
  path: string,
  body: string,
  signal: AbortSignal | undefined,
) {
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

function pathFor(template: string, provider: string): string {
  return template.replace("{provider}", encodeURIComponent(provider));
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
