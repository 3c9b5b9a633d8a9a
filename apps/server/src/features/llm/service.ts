import type { Models } from "@loom/api";
import type { JsonObject, LlmEvent, LlmFailure, LlmRequest, LlmResponse } from "@loom/core";
import type { Catalogue, DecodedResponse } from "@loom/llm";
import { loadCatalogue } from "@loom/llm";
import type { LlmMetrics } from "./llm-metrics.ts";
import type { ModelChoice } from "./model-choice.ts";
import type { Provider } from "./provider.ts";
import type { Upstream } from "./upstream.ts";

export type Answering =
  | { readonly ok: true; readonly batches: AsyncIterator<readonly LlmEvent[], undefined> }
  | { readonly ok: false; readonly failure: LlmFailure };

/** Asks models on behalf of clients. */
export type LlmService = {
  /** Resolves when the provider has begun to answer; what fails later is the last event. */
  stream(provider: string, request: LlmRequest, signal: AbortSignal): Promise<Answering>;
  complete(provider: string, request: LlmRequest, signal: AbortSignal): Promise<DecodedResponse>;
  models(): Models;
  close(): void;
};

export type LlmServiceOptions = {
  readonly choice: ModelChoice;
  readonly upstream: Upstream;
  readonly metrics: LlmMetrics;
  /** Takes the server's keys out of what a provider says. */
  readonly redact: (text: string) => string;
};

type Prepared =
  | { readonly ok: true; readonly provider: Provider; readonly model: string; readonly body: JsonObject }
  | { readonly ok: false; readonly failure: LlmFailure };

export function createLlmService({ choice, upstream, metrics, redact }: LlmServiceOptions): LlmService {
  async function prepare(
    name: string,
    request: LlmRequest,
    signal: AbortSignal,
    options: { readonly stream: boolean },
  ): Promise<Prepared> {
    const chosen = await choice.choose(name, request.model, signal);
    if (!chosen.ok) return chosen;
    const { provider, model } = chosen;
    const encoded = provider.codec.encodeRequest({ ...request, model }, options);
    if (!encoded.ok) {
      return { ok: false, failure: { code: "invalid_request", message: encoded.problem, retryable: false } };
    }
    return { ok: true, provider, model, body: encoded.body };
  }

  /** Fills in the price and counts; the price list is read while the provider thinks. */
  async function* settled(
    prepared: Prepared & { readonly ok: true },
    batches: AsyncIterableIterator<readonly LlmEvent[], undefined>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LlmEvent[], undefined> {
    const provider = prepared.provider.name;
    const catalogue = loadCatalogue();
    let outcome = "cancelled";
    metrics.streamOpened();
    try {
      for await (const batch of batches) {
        const last = batch.at(-1);
        if (last?.type === "completed") {
          outcome = "completed";
          const response = priced(provider, prepared.model, last.response, await catalogue);
          metrics.answered(provider, response);
          yield [...batch.slice(0, -1), { type: "completed", response }];
        } else if (last?.type === "error") {
          outcome = signal.aborted ? "cancelled" : last.error.code;
          yield [...batch.slice(0, -1), { type: "error", error: explained(last.error, signal) }];
        } else {
          yield batch;
        }
      }
    } finally {
      metrics.streamClosed();
      metrics.finished(provider, outcome);
    }
    return undefined;
  }

  /** A request is only ever cancelled under a client that still listens when the server itself has to end. */
  function explained(failure: LlmFailure, signal: AbortSignal): LlmFailure {
    if (signal.aborted) return SHUTTING_DOWN;
    return { ...failure, message: redact(failure.message) };
  }

  return {
    async stream(name, request, signal) {
      const prepared = await prepare(name, request, signal, { stream: true });
      if (!prepared.ok) return prepared;
      const opened = await upstream.stream(prepared.provider, prepared.body, signal);
      if (opened.ok) return { ok: true, batches: settled(prepared, opened.batches, signal) };
      metrics.finished(prepared.provider.name, signal.aborted ? "cancelled" : opened.failure.code);
      return { ok: false, failure: explained(opened.failure, signal) };
    },
    async complete(name, request, signal) {
      const prepared = await prepare(name, request, signal, { stream: false });
      if (!prepared.ok) return prepared;
      const provider = prepared.provider.name;
      const answer = await upstream.complete(prepared.provider, prepared.body, signal);
      if (!answer.ok) {
        metrics.finished(provider, signal.aborted ? "cancelled" : answer.failure.code);
        return { ok: false, failure: explained(answer.failure, signal) };
      }
      const response = priced(provider, prepared.model, answer.response, await loadCatalogue());
      metrics.answered(provider, response);
      metrics.finished(provider, "completed");
      return { ok: true, response };
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

/** By the model that answered, which is the more exact name, or else by the one that was asked for. */
function priced(provider: string, asked: string, response: LlmResponse, catalogue: Catalogue): LlmResponse {
  const cost =
    catalogue.costMicroUsd(provider, response.model, response.usage) ??
    catalogue.costMicroUsd(provider, asked, response.usage);
  return cost === undefined ? response : { ...response, costMicroUsd: cost };
}
