import type { Environment } from "@loom/config";
import { ConfigError, readSecret, type Secret } from "@loom/config";
import { vertexOrigin } from "@loom/llm";
import { secretsOfGoogleCredential } from "./google-credential.ts";
import { readVertexConfig, type VertexConfig } from "./vertex-config.ts";

/** The providers that Loom knows by itself, in the order in which one becomes the default. */
export const PROVIDER_NAMES = ["anthropic", "openai", "gemini", "vertex", "zai"] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

/** `compatible`: a server that speaks OpenAI's Chat Completions, under a name that the operator gave it. */
export type ProviderKind = ProviderName | "compatible";

/** How one provider is reached. */
export type ProviderConfig = {
  /** In paths (`/proxy/{name}/…`) and before a model (`{name}/{model}`); lower-case letters, digits and dashes. */
  readonly name: string;
  readonly kind: ProviderKind;
  /** No slash at the end. */
  readonly baseUrl: string;
  /** The provider's own address, and not that of a server which speaks its protocol. */
  readonly isOfficial: boolean;
  readonly key: Secret | undefined;
  /** What `default` means; `undefined`: ask the server which models it has. */
  readonly model: string | undefined;
  /** What `fast` means; `undefined`: the same as `default`. */
  readonly fastModel: string | undefined;
  /** Of `vertex` only. */
  readonly vertex?: VertexConfig;
};

type Options = { readonly warn?: (sentence: string) => void };
type Defaults = { readonly baseUrl: string; readonly model: string; readonly fastModel: string };

const DEFAULTS: Readonly<Record<Exclude<ProviderName, "vertex">, Defaults>> = {
  anthropic: { baseUrl: "https://api.anthropic.com", model: "claude-sonnet-5", fastModel: "claude-haiku-4-5" },
  openai: { baseUrl: "https://api.openai.com/v1", model: "gpt-5.4", fastModel: "gpt-5.4-mini" },
  gemini: {
    baseUrl: "https://generativelanguage.googleapis.com",
    model: "gemini-3.1-pro-preview",
    fastModel: "gemini-3.5-flash",
  },
  zai: { baseUrl: "https://api.z.ai", model: "glm-5.3", fastModel: "glm-5.3-flash" },
};
const VERTEX_MODELS = { model: "gemini-3.1-pro-preview", fastModel: "gemini-3.5-flash" };

/** `LOOM_SERVER_COMPATIBLE_{NAME}_BASE_URL` sets up a server under the name in lower case, `_` as `-`. */
const COMPATIBLE = /^LOOM_SERVER_COMPATIBLE_([A-Z][A-Z0-9_]{0,30})_BASE_URL$/;

/** Names that mean something else in a path or before a model. */
const RESERVED: ReadonlySet<string> = new Set(["default", "fast", "oracle", "compatible"]);

/** Everything that must not be seen of how providers are reached. */
export function secretsOfProviders(providers: Readonly<Record<string, ProviderConfig>>): Secret[] {
  return Object.values(providers).flatMap(({ key, vertex }) => [
    ...(key === undefined ? [] : [key]),
    ...(vertex?.credential === undefined ? [] : secretsOfGoogleCredential(vertex.credential)),
  ]);
}

export function isBuiltIn(name: string): name is ProviderName {
  return PROVIDER_NAMES.some((known) => known === name);
}

/**
 * Every provider that is set up. The keys are taken out of `env`.
 * @throws ConfigError that names the variable.
 */
export function readProviders(env: NodeJS.ProcessEnv, options: Options): Readonly<Record<string, ProviderConfig>> {
  const found = [
    readProvider(env, "anthropic", options),
    readProvider(env, "openai", options),
    readProvider(env, "gemini", options),
    readVertex(env, options),
    readProvider(env, "zai", options),
    ...readCompatible(env, options),
  ];
  return Object.fromEntries(found.flatMap((provider) => (provider === undefined ? [] : [[provider.name, provider]])));
}

function readProvider(
  env: NodeJS.ProcessEnv,
  name: Exclude<ProviderName, "vertex">,
  options: Options,
): ProviderConfig | undefined {
  const upper = name.toUpperCase();
  const defaults = DEFAULTS[name];
  const ownKey = takeSecret(env, `LOOM_SERVER_${upper}_API_KEY`, options);
  const sharedKey = takeSecret(env, `${upper}_API_KEY`, options);
  const key = ownKey ?? sharedKey;
  const baseUrl = readBaseUrl(
    env,
    baseUrlVariables(name, { sharedKeyUsed: ownKey === undefined && key !== undefined }),
  );
  if (key === undefined && baseUrl === undefined) return undefined;
  const isOfficial = baseUrl === undefined || baseUrl === defaults.baseUrl;
  // A server that only speaks OpenAI's protocol has models of its own; one that speaks another's is a proxy for it.
  const known = isOfficial || name !== "openai" ? defaults : undefined;
  return { name, kind: name, baseUrl: baseUrl ?? defaults.baseUrl, isOfficial, key, ...readModels(env, upper, known) };
}

/** Vertex AI has no key: Loom signs in to Google, or whoever stands at its address here does. */
function readVertex(env: NodeJS.ProcessEnv, options: Options): ProviderConfig | undefined {
  const baseUrl = readBaseUrl(env, ["LOOM_SERVER_VERTEX_BASE_URL"]);
  const vertex = readVertexConfig(env, { ...options, elsewhere: baseUrl !== undefined });
  if (vertex === undefined) return undefined;
  return {
    name: "vertex",
    kind: "vertex",
    baseUrl: baseUrl ?? vertexOrigin(vertex.location),
    isOfficial: baseUrl === undefined,
    key: undefined,
    vertex,
    ...readModels(env, "VERTEX", VERTEX_MODELS),
  };
}

function readCompatible(env: NodeJS.ProcessEnv, options: Options): ProviderConfig[] {
  return Object.keys(env)
    .sort()
    .flatMap((variable) => {
      const upper = COMPATIBLE.exec(variable)?.[1];
      if (upper === undefined) return [];
      const baseUrl = readBaseUrl(env, [variable]);
      if (baseUrl === undefined) return [];
      const name = upper.toLowerCase().replaceAll("_", "-");
      if (isBuiltIn(name) || RESERVED.has(name)) {
        throw new ConfigError(
          `${variable} gives a server the name ${name}, which means something else: choose another.`,
        );
      }
      const key = takeSecret(env, `LOOM_SERVER_COMPATIBLE_${upper}_API_KEY`, options);
      const models = readModels(env, `COMPATIBLE_${upper}`, undefined);
      return [{ name, kind: "compatible" as const, baseUrl, isOfficial: false, key, ...models }];
    });
}

function readModels(
  env: Environment,
  infix: string,
  defaults: Pick<Defaults, "model" | "fastModel"> | undefined,
): Pick<ProviderConfig, "model" | "fastModel"> {
  return {
    model: env[`LOOM_SERVER_${infix}_MODEL`] || defaults?.model,
    fastModel: env[`LOOM_SERVER_${infix}_FAST_MODEL`] || defaults?.fastModel,
  };
}

/** A key and the address it is for belong together: the plain address counts only with the plain key. */
function baseUrlVariables(name: ProviderName, { sharedKeyUsed }: { sharedKeyUsed: boolean }): string[] {
  const upper = name.toUpperCase();
  return [
    `LOOM_SERVER_${upper}_BASE_URL`,
    ...(name === "openai" ? ["LOOM_OPENAI_BASE_URL"] : []),
    ...(sharedKeyUsed ? [`${upper}_BASE_URL`] : []),
  ];
}

function takeSecret(env: NodeJS.ProcessEnv, name: string, options: Options): Secret | undefined {
  const secret = readSecret(env, name, options);
  delete env[name];
  return secret;
}

function readBaseUrl(env: Environment, variables: readonly string[]): string | undefined {
  const variable = variables.find((name) => (env[name] ?? "") !== "");
  if (variable === undefined) return undefined;
  const value = env[variable] ?? "";
  // The value itself is not repeated: it may hold a password.
  const url = URL.parse(value);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ConfigError(`${variable} is no address: it has to begin with http:// or https://.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new ConfigError(`${variable} holds a user name or a password: give the key in a variable of its own.`);
  }
  if (url.search !== "" || url.hash !== "") {
    throw new ConfigError(`${variable} holds a query or a fragment: give only the part before "?" and "#".`);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}
