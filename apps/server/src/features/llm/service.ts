import type { Models } from "@loom/api";
import type { LlmEvent, LlmFailure, LlmRequest, LlmResponse } from "@loom/core";
import { type Catalogue, type DecodedResponse, loadCatalogue } from "@loom/llm";
import type { Log } from "../../kit/log.ts";
import type { LlmMetrics } from "./llm-metrics.ts";
import type { ModelChoice } from "./model-choice.ts";
import type { Provider } from "./provider.ts";
import type { Upstream } from "./upstream.ts";

/** Who waits for the answer. */
export type Caller = {
  /** For the log. */
  readonly requestId: string;
  /** Fires when nobody waits any more, or when the server has to end. */
  readonly signal: AbortSignal;
};

type Batches = AsyncIterator<readonly LlmEvent[], undefined>;

export type Answering =
  | { readonly ok: true; readonly batches: Batches }
  | { readonly ok: false; readonly failure: LlmFailure };

/** Asks models on behalf of clients. */
export type LlmService = {
  /** Resolves when the provider has begun to answer; what fails later is the last event. */
  stream(provider: string, request: LlmRequest, caller: Caller): Promise<Answering>;
  complete(provider: string, request: LlmRequest, caller: Caller): Promise<DecodedResponse>;
  models(): Models;
  close(): void;
};

export type LlmServiceOptions = {
  readonly choice: ModelChoice;
  readonly upstream: Upstream;
  readonly metrics: LlmMetrics;
  readonly log: Log;
  /** Takes the server's keys out of what a provider says. */
  readonly redact: (text: string) => string;
};

type Prepared = { readonly ok: true; readonly provider: Provider; readonly model: string; readonly body: string };
type Refused = { readonly ok: false; readonly failure: LlmFailure };

export function createLlmService({ choice, upstream, metrics, log, redact }: LlmServiceOptions): LlmService {
  async function prepare(
    name: string,
    request: LlmRequest,
    { signal }: Caller,
    options: { readonly stream: boolean },
  ): Promise<Prepared | Refused> {
    const chosen = await choice.choose(name, request.model, signal);
    if (!chosen.ok) return chosen;
    const { provider, model } = chosen;
    try {
      const body = JSON.stringify(provider.codec.encodeRequest({ ...request, model }, options));
      return { ok: true, provider, model, body };
    } catch (error) {
      if (error instanceof RangeError) return { ok: false, failure: TOO_DEEP };
      throw error;
    }
  }

  /** Fills in the price and keeps count. The price list is read while the provider thinks. */
  async function* settled(
    prepared: Prepared,
    batches: AsyncIterable<readonly LlmEvent[]>,
    caller: Caller,
  ): AsyncGenerator<readonly LlmEvent[], undefined> {
    const catalogue = loadCatalogue();
    let ended = false;
    metrics.streamOpened();
    try {
      for await (const batch of batches) {
        const last = batch.at(-1);
        if (last?.type === "completed") {
          ended = true;
          const response = succeeded(prepared, last.response, await catalogue, caller);
          yield [...batch.slice(0, -1), { type: "completed", response }];
        } else if (last?.type === "error") {
          ended = true;
          yield [...batch.slice(0, -1), { type: "error", error: failed(prepared, last.error, caller) }];
        } else {
          yield batch;
        }
      }
    } finally {
      metrics.streamClosed();
      // The reader left between two batches.
      if (!ended) metrics.finished(prepared.provider.name, "cancelled");
    }
    return undefined;
  }

  function succeeded(asked: Prepared, answer: LlmResponse, catalogue: Catalogue, caller: Caller): LlmResponse {
    const provider = asked.provider.name;
    // The model that answered is the more exact name.
    const cost =
      catalogue.costMicroUsd(provider, answer.model, answer.usage) ??
      catalogue.costMicroUsd(provider, asked.model, answer.usage);
    const response = cost === undefined ? answer : { ...answer, costMicroUsd: cost };
    metrics.answered(provider, response);
    metrics.finished(provider, "completed");
    const { inputTokens, outputTokens } = answer.usage;
    const facts = { provider, model: asked.model, inputTokens, outputTokens, costMicroUsd: cost };
    log.info("model answered", { requestId: caller.requestId, ...facts });
    return response;
  }

  function failed(asked: Prepared, failure: LlmFailure, { requestId, signal }: Caller): LlmFailure {
    const provider = asked.provider.name;
    if (signal.aborted) {
      metrics.finished(provider, "cancelled");
      // Somebody who still listens is only ever cut off by the end of the server itself.
      return SHUTTING_DOWN;
    }
    const message = redact(failure.message);
    metrics.finished(provider, failure.code);
    log.warn("model failed", { requestId, provider, model: asked.model, code: failure.code, message });
    return { ...failure, message };
  }

  return {
    async stream(name, request, caller) {
      const prepared = await prepare(name, request, caller, { stream: true });
      if (!prepared.ok) return prepared;
      const opened = await upstream.stream(prepared.provider, prepared.body, caller.signal);
      if (!opened.ok) return { ok: false, failure: failed(prepared, opened.failure, caller) };
      return { ok: true, batches: settled(prepared, opened.batches, caller) };
    },
    async complete(name, request, caller) {
      const prepared = await prepare(name, request, caller, { stream: false });
      if (!prepared.ok) return prepared;
      const answer = await upstream.complete(prepared.provider, prepared.body, caller.signal);
      if (!answer.ok) return { ok: false, failure: failed(prepared, answer.failure, caller) };
      return { ok: true, response: succeeded(prepared, answer.response, await loadCatalogue(), caller) };
    },
    models: () => choice.models(),
    close: () => upstream.close(),
  };
}

const SHUTTING_DOWN: LlmFailure = {
  code: "overloaded",
  message: "The Loom server is shutting down: try again in a moment.",
  retryable: true,
};

const TOO_DEEP: LlmFailure = {
  code: "invalid_request",
  message: "The request is nested too deeply for JSON.",
  retryable: false,
};
