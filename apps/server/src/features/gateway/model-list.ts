import type { Models } from "@loom/api";
import type { ServerConfig } from "../../config.ts";
import type { Routing } from "../../gateway-types.ts";
import { PROVIDER_NAMES } from "../../provider-config.ts";
import { isAlias } from "./straight-routing.ts";
import type { WireDialect } from "./target.ts";

/** What the server can reach, for Loom's own clients. `discovered`: the default of a server that was asked for it. */
export function listModels(
  config: ServerConfig,
  routing: Pick<Routing, "plan">,
  discovered: (provider: string) => string | undefined,
): Models {
  const modelOf = (name: string) => config.providers[name]?.model ?? discovered(name) ?? null;
  const fastOf = (name: string) => config.providers[name]?.fastModel ?? modelOf(name);
  const choice = (alias: string) => {
    const plan = routing.plan({ model: alias, affinity: "" });
    const [step] = plan.ok ? plan.steps : [];
    const model = step && (isAlias(step.model) ? discovered(step.upstream) : step.model);
    return step === undefined || model === undefined ? null : { provider: step.upstream, model };
  };
  const names = new Set<string>([...PROVIDER_NAMES, ...Object.keys(config.providers)]);
  return {
    default: choice("default"),
    fast: choice("fast"),
    providers: [...names].map((name) => ({
      name,
      configured: config.providers[name] !== undefined,
      defaultModel: modelOf(name),
      fastModel: fastOf(name),
    })),
  };
}

/**
 * What a client of a dialect may ask for by name: the aliases, and models as `provider/model`; first those that have an
 * alias, then what the providers list.
 */
export function modelNames(
  models: Models,
  aliases: readonly string[],
  listed: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const names = [
    ...(models.default === null ? aliases.filter((alias) => !isAlias(alias)) : aliases),
    ...models.providers
      .filter((provider) => provider.configured)
      .flatMap(({ name, defaultModel, fastModel }) =>
        [defaultModel, fastModel, ...(listed.get(name) ?? [])].flatMap((model) =>
          model === null ? [] : [`${name}/${model}`],
        ),
      ),
  ];
  return [...new Set(names)];
}

/** The list of models as the dialect has it; Anthropic has pages of it. */
export function listInDialect(names: readonly string[], dialect: Exclude<WireDialect, "anthropic">): unknown {
  const list = names.map((name) => modelInDialect(name, dialect));
  switch (dialect) {
    case "chat":
    case "responses":
      return { object: "list", data: list };
    case "gemini":
      return { models: list };
  }
}

/** One model as the dialect has it. */
export function modelInDialect(name: string, dialect: WireDialect): unknown {
  switch (dialect) {
    case "anthropic":
      return { type: "model", id: name, display_name: name, created_at: "1970-01-01T00:00:00Z" };
    case "chat":
    case "responses":
      return { id: name, object: "model", created: 0, owned_by: "loom" };
    case "gemini":
      return {
        name: `models/${name}`,
        displayName: name,
        supportedGenerationMethods: ["generateContent", "countTokens"],
      };
  }
}
