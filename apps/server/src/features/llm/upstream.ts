import type { IncomingMessage } from "node:http";
import type { StreamDeadlines } from "@loom/api/http";
import { createConnections, EventBatches, ExchangeError, exchange, responseText } from "@loom/api/http";
import type { LlmFailure } from "@loom/core";
import type { DecodedResponse } from "@loom/llm";
import type { UpstreamDeadlines } from "../../config.ts";
import type { Provider } from "./provider.ts";

export type OpenedStream =
  | { readonly ok: true; readonly batches: EventBatches }
  | { readonly ok: false; readonly failure: LlmFailure };

/** The server as a client of the providers: `body` is JSON in their dialect. Keeps its connections open for the next request. */
export type Upstream = {
  /** Resolves at the response's header section; whatever fails before it is a failure, and after it the last event. */
  stream(provider: Provider, body: string, signal: AbortSignal): Promise<OpenedStream>;
  complete(provider: Provider, body: string, signal: AbortSignal): Promise<DecodedResponse>;
  /** Ids of the provider's models in its own order. @throws ExchangeError */
  models(provider: Provider, signal: AbortSignal): Promise<readonly string[]>;
  close(): void;
};

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const ERROR_BODY_MS = 10_000;
const MAX_MODELS_BYTES = 4 * 1024 * 1024;

export function createUpstream(options: {
  readonly deadlines: UpstreamDeadlines;
  /** Takes the server's keys out of what a provider says. */
  readonly redact: (text: string) => string;
}): Upstream {
  const { deadlines, redact } = options;
  const connections = createConnections();
  const streamDeadlines: StreamDeadlines = {
    firstEventMs: deadlines.firstEventMs,
    gapMs: deadlines.gapMs,
    // A provider's own pings are no progress, so its silence needs no deadline of its own.
    silenceMs: Math.max(deadlines.firstEventMs, deadlines.gapMs),
  };

  function post(provider: Provider, body: string, signal: AbortSignal, headersMs: number): Promise<IncomingMessage> {
    const headers = { "content-type": "application/json", ...provider.headers() };
    return send({ provider, url: provider.url, headers, body, headersMs, signal });
  }

  function send(request: {
    provider: Provider;
    url: URL;
    headers: { readonly [name: string]: string };
    body?: string;
    headersMs: number;
    signal: AbortSignal;
  }): Promise<IncomingMessage> {
    return exchange({
      url: request.url,
      method: request.body === undefined ? "GET" : "POST",
      headers: { accept: "application/json, text/event-stream", "accept-encoding": "identity", ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      connections,
      deadlines: { connectMs: deadlines.connectMs, headersMs: request.headersMs },
      signal: request.signal,
    });
  }

  /** What the provider said instead of an answer; `undefined` for a success. */
  async function refusal(provider: Provider, response: IncomingMessage, signal: AbortSignal) {
    const status = response.statusCode ?? 0;
    const encoding = response.headers["content-encoding"] ?? "identity";
    if (status >= 200 && status < 300 && encoding === "identity") return undefined;
    if (status >= 300 && status < 400) {
      response.destroy();
      return failure("invalid_response", sentence(provider)(`sent us elsewhere (HTTP ${status})`), false);
    }
    const limits = { gapMs: ERROR_BODY_MS, totalMs: ERROR_BODY_MS, signal };
    const body = await responseText(response, { maxBytes: MAX_ERROR_BYTES, larger: "cut", ...limits });
    if (status >= 200 && status < 300) {
      return failure("invalid_response", sentence(provider)(`compressed its answer (${encoding}) unasked`), false);
    }
    const found = provider.codec.failureFromHttp({ status, headers: response.headers, body }, Date.now());
    return { ...found, message: redact(found.message) };
  }

  return {
    async stream(provider, body, signal) {
      try {
        const response = await post(provider, body, signal, deadlines.headersMs);
        const refused = await refusal(provider, response, signal);
        if (refused !== undefined) return { ok: false, failure: refused };
        const batches = new EventBatches(response, provider.codec.streamDecoder(), {
          deadlines: streamDeadlines,
          signal,
          sentence: sentence(provider),
        });
        return { ok: true, batches };
      } catch (error) {
        return { ok: false, failure: failureOf(provider, error) };
      }
    },
    async complete(provider, body, signal) {
      try {
        const response = await post(provider, body, signal, deadlines.completeMs);
        const refused = await refusal(provider, response, signal);
        if (refused !== undefined) return { ok: false, failure: refused };
        const text = await responseText(response, {
          maxBytes: MAX_ANSWER_BYTES,
          larger: "fail",
          gapMs: deadlines.gapMs,
          totalMs: deadlines.completeMs,
          signal,
        });
        return provider.codec.decodeResponse(text);
      } catch (error) {
        return { ok: false, failure: failureOf(provider, error) };
      }
    },
    async models(provider, signal) {
      const url = provider.modelsUrl;
      const headersMs = deadlines.connectMs;
      const response = await send({ provider, url, headers: provider.headers(), headersMs, signal });
      const limits = { gapMs: headersMs, totalMs: headersMs, signal };
      const text = await responseText(response, { maxBytes: MAX_MODELS_BYTES, larger: "fail", ...limits });
      return response.statusCode === 200 ? modelIds(text) : [];
    },
    close: () => connections.close(),
  };
}

function sentence(provider: Provider): (clause: string) => string {
  return (clause) =>
    `The provider ${provider.name} at ${provider.url.origin} ${clause}: try again, or check its address on the server.`;
}

function failureOf(provider: Provider, error: unknown): LlmFailure {
  if (!(error instanceof ExchangeError)) throw error;
  const message = sentence(provider)(error.message);
  switch (error.failure) {
    case "cancelled":
      return failure("network", message, false);
    case "timeout":
      return failure("timeout", message, true);
    case "connection":
      return failure("network", message, true);
    case "too_large":
      return failure("invalid_response", message, false);
  }
}

function failure(code: LlmFailure["code"], message: string, retryable: boolean): LlmFailure {
  return { code, message, retryable };
}

/** `{"data":[{"id":"…"}, …]}`, as both dialects have it. */
function modelIds(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof value !== "object" || value === null || !("data" in value) || !Array.isArray(value.data)) return [];
  return value.data.flatMap((entry: unknown) =>
    typeof entry === "object" && entry !== null && "id" in entry && typeof entry.id === "string" ? [entry.id] : [],
  );
}
