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

/** The same for a client of a dialect that belongs to no provider here: the aliases, and models as `provider/model`. */
export function modelsInDialect(models: Models, aliases: readonly string[], dialect: WireDialect): unknown {
  const ids = [
    ...(models.default === null ? aliases.filter((alias) => !isAlias(alias)) : aliases),
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
