import type { Models } from "@loom/api";
import type { ServerConfig } from "../../config.ts";
import { PROVIDER_NAMES } from "../../provider-config.ts";
import type { WireDialect } from "./target.ts";

/** What the server can reach, for Loom's own clients. `discovered`: the default of a server that was asked for it. */
export function listModels(config: ServerConfig, discovered: (provider: string) => string | undefined): Models {
  const modelOf = (name: string) => config.providers[name]?.model ?? discovered(name) ?? null;
  const fastOf = (name: string) => config.providers[name]?.fastModel ?? modelOf(name);
  const preferred = config.defaultProvider;
  const choice = (model: string | null | undefined) =>
    preferred === undefined || model == null ? null : { provider: preferred, model };
  const names = new Set<string>([...PROVIDER_NAMES, ...Object.keys(config.providers)]);
  return {
    default: choice(preferred && modelOf(preferred)),
    fast: choice(preferred && fastOf(preferred)),
    providers: [...names].map((name) => ({
      name,
      configured: config.providers[name] !== undefined,
      defaultModel: modelOf(name),
      fastModel: fastOf(name),
    })),
  };
}

/** The same for a client of a dialect that belongs to no provider here: the aliases, and models as `provider/model`. */
export function modelsInDialect(models: Models, dialect: WireDialect): unknown {
  const ids = [
    ...(models.default === null ? [] : ["default"]),
    ...(models.fast === null ? [] : ["fast"]),
    ...models.providers
      .filter((provider) => provider.configured)
      .flatMap(({ name, defaultModel, fastModel }) =>
        [...new Set([defaultModel, fastModel])].flatMap((model) => (model === null ? [] : [`${name}/${model}`])),
      ),
  ];
  switch (dialect) {
    case "anthropic":
      return {
        data: ids.map((id) => ({ type: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" })),
        has_more: false,
        first_id: ids[0] ?? null,
        last_id: ids.at(-1) ?? null,
      };
    case "chat":
    case "responses":
      return { object: "list", data: ids.map((id) => ({ id, object: "model", created: 0, owned_by: "loom" })) };
    case "gemini":
      return {
        models: ids.map((id) => ({
          name: `models/${id}`,
          displayName: id,
          supportedGenerationMethods: ["generateContent", "countTokens"],
        })),
      };
  }
}
