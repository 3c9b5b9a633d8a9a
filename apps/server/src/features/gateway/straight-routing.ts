import type { LlmFailure } from "@loom/core";
import type { ServerConfig } from "../../config.ts";
import type { RoutePlan, Routing } from "../../gateway-types.ts";
import { PROVIDER_NAMES } from "../../provider-config.ts";
import { ownerOf, withoutKind } from "./model-owner.ts";

/**
 * One step: the provider in the path, before the model, or by the model's name. In the path of a compatible server, the
 * name of another provider is part of the model's: those who sell others' models have such names.
 */
export function straightRouting(config: ServerConfig): Routing {
  const { providers } = config;

  return {
    plan({ upstream, model: asked, dialect }) {
      const model = upstream === undefined ? withoutKind(asked, providers) : asked;
      const slash = model.indexOf("/");
      const prefix = slash === -1 ? undefined : model.slice(0, slash);
      const sells = upstream !== undefined && upstream !== prefix && providers[upstream]?.kind === "compatible";
      const named = prefix !== undefined && !sells && providers[prefix] !== undefined ? prefix : undefined;
      const bare = named === undefined ? model : model.slice(slash + 1);
      const name = named ?? upstream ?? (isAlias(bare) ? config.defaultProvider : ownerOf(bare, dialect, config));
      if (name === undefined) return failed(config.defaultProvider === undefined ? NOTHING_IS_SET_UP : nobodys(bare));
      const provider = providers[name];
      if (provider === undefined)
        return failed(isKnown(name) ? notSetUp(name) : unknownProvider(name, Object.keys(providers)));
      if (prefix !== undefined && named === undefined && !provider.isCompatible) {
        // Nobody's model: the makers have none with a slash in its name, and whoever was meant may be one's own server.
        if (isKnown(prefix)) return failed(notSetUp(prefix));
        const isOwn = prefix === TUNED && (provider.kind === "gemini" || provider.kind === "vertex");
        const isGuessed = upstream === undefined && provider.isOfficial && !isOwn;
        if (isGuessed) return failed(unknownProvider(prefix, Object.keys(providers)));
      }
      if (!isAlias(bare)) {
        const reason = named === undefined ? "model" : "upstream in the model";
        return { ok: true, steps: [{ upstream: name, model: bare, reason }] };
      }
      const meant = (bare === "fast" ? provider.fastModel : undefined) ?? provider.model ?? bare;
      return { ok: true, steps: [{ upstream: name, model: meant, reason: `alias ${bare}` }] };
    },
    enter: () => true,
    report: () => {},
    aliases: () => ALIASES,
  };
}

/** Stands in front of Gemini's own tuned models. */
const TUNED = "tunedModels";

/** What there always is. Without a route, `oracle` means what `default` means. */
const ALIASES: readonly string[] = ["default", "fast", "oracle"];

export function isAlias(model: string): boolean {
  return ALIASES.includes(model);
}

function isKnown(name: string): boolean {
  return PROVIDER_NAMES.some((known) => known === name);
}

function failed(failure: LlmFailure): RoutePlan {
  return { ok: false, failure };
}

const LOCAL_MODELS =
  "a local model needs no key: set LOOM_OPENAI_BASE_URL to its address, e.g. http://localhost:11434/v1";

const NOTHING_IS_SET_UP: LlmFailure = {
  code: "not_configured",
  message: `No model provider is set up: set ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment of the Loom server; ${LOCAL_MODELS}.`,
  retryable: false,
};

function notSetUp(name: string): LlmFailure {
  const variable = `${name.toUpperCase()}_API_KEY`;
  const how =
    name === "vertex"
      ? "set LOOM_SERVER_VERTEX_PROJECT in the environment of the Loom server, and LOOM_SERVER_VERTEX_CREDENTIALS_FILE where the machine itself has no account"
      : `set ${variable} (or LOOM_SERVER_${variable}_FILE) in the environment of the Loom server; ${LOCAL_MODELS}`;
  return { code: "not_configured", message: `The provider ${name} is not set up: ${how}.`, retryable: false };
}

/** Nobody guesses where a prompt goes. */
function nobodys(model: string): LlmFailure {
  return {
    code: "unknown_model",
    message: `Whose model ${JSON.stringify(model.slice(0, 80))} is, nobody here knows: put its provider in front, as in provider/model; GET …/models lists what there is.`,
    retryable: false,
  };
}

function unknownProvider(name: string, configured: readonly string[]): LlmFailure {
  const shown = JSON.stringify(name.slice(0, 40));
  const known = new Set<string>([...PROVIDER_NAMES, ...configured]);
  return {
    code: "unknown_model",
    message: `There is no provider ${shown}: use ${[...known].join(", ")} or default.`,
    retryable: false,
  };
}
