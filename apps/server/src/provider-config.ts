import type { Environment } from "@loom/config";
import { ConfigError, type Secret, takeSecret } from "@loom/config";
import { vertexOrigin } from "@loom/llm";
import { secretsOfGoogleCredential } from "./google-credential.ts";
import { readKeyFile } from "./key-file.ts";
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
  /** At the provider's own address, and not at that of a proxy for it. */
  readonly isOfficial: boolean;
  /** Speaks Chat Completions, and nothing else that OpenAI does. */
  readonly isCompatible: boolean;
  readonly key: Secret | undefined;
  /** Further keys, from a file with one a line. */
  readonly keys?: readonly Secret[];
  /** Where keys came from that may change while the server runs. */
  readonly keyFiles?: readonly KeyFile[];
  /** How requests are spread over several credentials; default: in turn. */
  readonly selection?: CredentialSelection;
  /** What `default` means; `undefined`: ask the server which models it has. */
  readonly model: string | undefined;
  /** What `fast` means; `undefined`: the same as `default`. */
  readonly fastModel: string | undefined;
  /** Of `vertex` only. */
  readonly vertex?: VertexConfig;
};

/** `many`: one key a line, instead of one in the whole file. */
export type KeyFile = { readonly path: string; readonly variable: string; readonly many: boolean };

export const CREDENTIAL_SELECTIONS = ["round-robin", "least-loaded"] as const;
export type CredentialSelection = (typeof CREDENTIAL_SELECTIONS)[number];

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

/** The same for one server, in the place of OpenAI. */
const COMPATIBLE_OPENAI = "LOOM_OPENAI_BASE_URL";

/** Names that mean something else in a path or before a model. */
const RESERVED: ReadonlySet<string> = new Set(["default", "fast", "oracle", "compatible"]);

/** Everything that must not be seen of how providers are reached. */
export function secretsOfProviders(providers: Readonly<Record<string, ProviderConfig>>): Secret[] {
  return Object.values(providers).flatMap(({ key, keys = [], vertex }) => [
    ...(key === undefined ? [] : [key]),
    ...keys,
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

/**
 * Providers at their own addresses that nobody has given a key for: what they are as soon as one is stored. To be read
 * after `readProviders`.
 */
export function readDormantProviders(
  env: Environment,
  providers: Readonly<Record<string, ProviderConfig>>,
): Readonly<Record<string, ProviderConfig>> {
  const dormant = PROVIDER_NAMES.flatMap((name): ProviderConfig[] => {
    if (name === "vertex" || providers[name] !== undefined) return [];
    const { baseUrl } = DEFAULTS[name];
    const upper = name.toUpperCase();
    const rest = { ...readSelection(env, upper), ...readModels(env, upper, DEFAULTS[name]) };
    return [{ name, kind: name, baseUrl, isOfficial: true, isCompatible: false, key: undefined, ...rest }];
  });
  return Object.fromEntries(dormant.map((provider) => [provider.name, provider]));
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
  const one = ownKey === undefined ? sharedKey && `${upper}_API_KEY` : `LOOM_SERVER_${upper}_API_KEY`;
  const key = ownKey ?? sharedKey;
  const files = readKeyFiles(env, { one, upper }, options);
  const variables = baseUrlVariables(name, { sharedKeyUsed: ownKey === undefined && key !== undefined });
  const variable = variables.find((each) => (env[each] ?? "") !== "");
  const baseUrl = variable === undefined ? undefined : readBaseUrl(env, variable);
  if (key === undefined && files.keys === undefined && baseUrl === undefined) return undefined;
  const isOfficial = baseUrl === undefined || baseUrl === defaults.baseUrl;
  // The variable says which it is: a local server in OpenAI's place, or OpenAI itself behind a proxy.
  const isCompatible = variable === COMPATIBLE_OPENAI && !isOfficial;
  // Either may have models of its own.
  const models = readModels(env, upper, isOfficial || name !== "openai" ? defaults : undefined);
  const rest = { ...files, ...readSelection(env, upper), ...models };
  return { name, kind: name, baseUrl: baseUrl ?? defaults.baseUrl, isOfficial, isCompatible, key, ...rest };
}

function readKeyFiles(
  env: Environment,
  { one, upper }: { readonly one: string | undefined; readonly upper: string },
  options: Options,
): Pick<ProviderConfig, "keys" | "keyFiles"> {
  const manyVariable = `LOOM_SERVER_${upper}_API_KEYS_FILE`;
  const [onePath, manyPath] = [one === undefined ? "" : (env[`${one}_FILE`] ?? ""), env[manyVariable] ?? ""];
  const single = onePath === "" ? [] : [{ path: onePath, variable: `${one}_FILE`, many: false }];
  const several = manyPath === "" ? [] : [{ path: manyPath, variable: manyVariable, many: true }];
  const keyFiles: KeyFile[] = [...single, ...several];
  if (keyFiles.length === 0) return {};
  return { keys: several.flatMap((file) => readKeyFile(file, options)), keyFiles };
}

function readSelection(env: Environment, upper: string): Pick<ProviderConfig, "selection"> {
  const variable = `LOOM_SERVER_${upper}_CREDENTIAL_SELECTION`;
  const wish = env[variable] ?? "";
  if (wish === "") return {};
  const selection = CREDENTIAL_SELECTIONS.find((each) => each === wish);
  if (selection !== undefined) return { selection };
  throw new ConfigError(`${variable} has to be ${CREDENTIAL_SELECTIONS.join(" or ")}.`);
}

/** Vertex AI has no key: Loom signs in to Google, or whoever stands at its address here does. */
function readVertex(env: NodeJS.ProcessEnv, options: Options): ProviderConfig | undefined {
  const baseUrl = readBaseUrl(env, "LOOM_SERVER_VERTEX_BASE_URL");
  const vertex = readVertexConfig(env, { ...options, elsewhere: baseUrl !== undefined });
  if (vertex === undefined) return undefined;
  return {
    name: "vertex",
    kind: "vertex",
    baseUrl: baseUrl ?? vertexOrigin(vertex.location),
    isOfficial: baseUrl === undefined,
    isCompatible: false,
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
      const baseUrl = readBaseUrl(env, variable);
      if (baseUrl === undefined) return [];
      const name = upper.toLowerCase().replaceAll("_", "-");
      if (isBuiltIn(name) || RESERVED.has(name)) {
        throw new ConfigError(
          `${variable} gives a server the name ${name}, which means something else: choose another.`,
        );
      }
      const infix = `COMPATIBLE_${upper}`;
      const key = takeSecret(env, `LOOM_SERVER_${infix}_API_KEY`, options);
      const one = key && `LOOM_SERVER_${infix}_API_KEY`;
      const files = readKeyFiles(env, { one, upper: infix }, options);
      const rest = { ...files, ...readSelection(env, infix), ...readModels(env, infix, undefined) };
      return [{ name, kind: "compatible" as const, baseUrl, isOfficial: false, isCompatible: true, key, ...rest }];
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
    ...(name === "openai" ? [COMPATIBLE_OPENAI] : []),
    ...(sharedKeyUsed ? [`${upper}_BASE_URL`] : []),
  ];
}

function readBaseUrl(env: Environment, variable: string): string | undefined {
  const value = env[variable] ?? "";
  if (value === "") return undefined;
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
