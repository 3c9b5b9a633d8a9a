import type { Models } from "@loom/api";
import type { LlmFailure } from "@loom/core";
import type { ServerConfig } from "../../config.ts";
import { PROVIDER_NAMES } from "../../provider-config.ts";
import { createProvider, type Provider } from "./provider.ts";

export type Choice =
  | { readonly ok: true; readonly provider: Provider; readonly model: string }
  | { readonly ok: false; readonly failure: LlmFailure };

/** Finds the provider and the model that a client means. */
export type ModelChoice = {
  /** `provider` may be `default`, `model` may be `default` or `fast`. */
  choose(provider: string, model: string, signal: AbortSignal): Promise<Choice>;
  models(): Models;
};

export function createModelChoice(
  config: ServerConfig,
  listModels: (provider: Provider, signal: AbortSignal) => Promise<readonly string[]>,
): ModelChoice {
  const providers = new Map<string, Provider>();
  for (const [name, settings] of Object.entries(config.providers)) providers.set(name, createProvider(name, settings));
  const discovered = new Map<string, string>();

  /** A server with models of its own is asked once which it has; the first is the default. */
  async function defaultModel(provider: Provider, signal: AbortSignal): Promise<string | undefined> {
    const known = provider.config.model ?? discovered.get(provider.name);
    if (known !== undefined) return known;
    const [first] = await listModels(provider, signal).catch(() => []);
    if (first !== undefined) discovered.set(provider.name, first);
    return first;
  }

  return {
    async choose(wishedProvider, wishedModel, signal) {
      const name = wishedProvider === "default" ? providerFor(wishedModel, config) : wishedProvider;
      const known = [...PROVIDER_NAMES, ...providers.keys()].find((candidate) => candidate === name);
      if (known === undefined) return failed(name === undefined ? nothingIsSetUp() : unknownProvider(wishedProvider));
      const provider = providers.get(known);
      if (provider === undefined) return failed(notSetUp(known));
      const { fastModel } = provider.config;
      if (wishedModel !== "default" && wishedModel !== "fast") return { ok: true, provider, model: wishedModel };
      const model = (wishedModel === "fast" ? fastModel : undefined) ?? (await defaultModel(provider, signal));
      return model === undefined ? failed(noDefaultModel(provider)) : { ok: true, provider, model };
    },
    models() {
      const modelOf = (name: string) => config.providers[name]?.model ?? discovered.get(name) ?? null;
      const fastOf = (name: string) => config.providers[name]?.fastModel ?? modelOf(name);
      const preferred = config.defaultProvider;
      const choice = (model: string | null | undefined) =>
        preferred === undefined || model == null ? null : { provider: preferred, model };
      return {
        default: choice(preferred && modelOf(preferred)),
        fast: choice(preferred && fastOf(preferred)),
        providers: PROVIDER_NAMES.map((name) => ({
          name,
          configured: config.providers[name] !== undefined,
          defaultModel: modelOf(name),
          fastModel: fastOf(name),
        })),
      };
    },
  };
}

/** Whose model this is by its name; else, and for aliases, the server's preferred provider. */
function providerFor(model: string, config: ServerConfig): string | undefined {
  if (model.startsWith("claude-") && config.providers.anthropic !== undefined) return "anthropic";
  if (/^(?:gpt-|chatgpt-|o\d)/.test(model) && config.providers.openai !== undefined) return "openai";
  return config.defaultProvider;
}

function failed(failure: LlmFailure): Choice {
  return { ok: false, failure };
}

const LOCAL_MODELS =
  "a local model needs no key: set LOOM_OPENAI_BASE_URL to its address, e.g. http://localhost:11434/v1";

function nothingIsSetUp(): LlmFailure {
  return {
    code: "not_configured",
    message: `No model provider is set up: set ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment of the Loom server; ${LOCAL_MODELS}.`,
    retryable: false,
  };
}

function notSetUp(name: string): LlmFailure {
  const variable = `${name.toUpperCase()}_API_KEY`;
  return {
    code: "not_configured",
    message: `The provider ${name} is not set up: set ${variable} (or LOOM_SERVER_${variable}_FILE) in the environment of the Loom server; ${LOCAL_MODELS}.`,
    retryable: false,
  };
}

function unknownProvider(name: string): LlmFailure {
  const shown = JSON.stringify(name.slice(0, 40));
  return {
    code: "unknown_model",
    message: `There is no provider ${shown}: use ${PROVIDER_NAMES.join(", ")} or default.`,
    retryable: false,
  };
}

function noDefaultModel(provider: Provider): LlmFailure {
  return {
    code: "unknown_model",
    message: `The server at ${provider.url.origin} does not say which models it has: set LOOM_SERVER_${provider.name.toUpperCase()}_MODEL, or name the model in the request.`,
    retryable: false,
  };
}
