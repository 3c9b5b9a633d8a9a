import type { Environment } from "@loom/config";
import { ConfigError, readSecret, type Secret } from "@loom/config";

export const PROVIDER_NAMES = ["anthropic", "openai"] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

/** How one provider is reached. */
export type ProviderConfig = {
  /** No slash at the end. */
  readonly baseUrl: string;
  /** The provider's own address, and not that of a server which speaks its protocol. */
  readonly isOfficial: boolean;
  readonly key: Secret | undefined;
  /** What `default` means; `undefined`: ask the server which models it has. */
  readonly model: string | undefined;
  /** What `fast` means; `undefined`: the same as `default`. */
  readonly fastModel: string | undefined;
};

/** Milliseconds; see the variables below. */
export type UpstreamDeadlines = {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly firstEventMs: number;
  readonly gapMs: number;
  readonly completeMs: number;
};

export type ServerConfig = {
  /** Absent: not set up. */
  readonly providers: { readonly [Name in ProviderName]?: ProviderConfig };
  readonly defaultProvider: ProviderName | undefined;
  readonly deadlines: UpstreamDeadlines;
  /** Names under which the server may be called besides those of the loopback interface. */
  readonly allowedHosts: readonly string[];
  /** Origins of web pages that may use the server. */
  readonly allowedOrigins: readonly string[];
};

type Defaults = { readonly baseUrl: string; readonly model: string; readonly fastModel: string };

const DEFAULTS: Readonly<Record<ProviderName, Defaults>> = {
  anthropic: { baseUrl: "https://api.anthropic.com", model: "claude-sonnet-5", fastModel: "claude-haiku-4-5" },
  openai: { baseUrl: "https://api.openai.com/v1", model: "gpt-5.4", fastModel: "gpt-5.4-mini" },
};

/** Variable, field, default in seconds. A provider may be silent for a long while when it thinks. */
const DEADLINES = [
  ["LOOM_SERVER_CONNECT_TIMEOUT", "connectMs", 10],
  ["LOOM_SERVER_HEADERS_TIMEOUT", "headersMs", 120],
  ["LOOM_SERVER_FIRST_EVENT_TIMEOUT", "firstEventMs", 120],
  ["LOOM_SERVER_GAP_TIMEOUT", "gapMs", 120],
  ["LOOM_SERVER_COMPLETE_TIMEOUT", "completeMs", 600],
] as const;

/** Longer waits do not fit into a timer. */
const MAX_TIMEOUT_SECONDS = 86_400;

/**
 * The server's configuration from the variables of the process. Every secret is taken out of `env`, so that no child
 * process inherits it.
 * @throws ConfigError that names the variable.
 */
export function takeServerConfig(
  env: NodeJS.ProcessEnv,
  options: { readonly warn?: (sentence: string) => void } = {},
): ServerConfig {
  const anthropic = readProvider(env, "anthropic", options);
  const openai = readProvider(env, "openai", options);
  const providers = { ...(anthropic && { anthropic }), ...(openai && { openai }) };
  return {
    providers,
    defaultProvider: readDefaultProvider(env, providers),
    deadlines: readDeadlines(env),
    allowedHosts: readList(env, "LOOM_SERVER_ALLOWED_HOSTS").map((name) => name.toLowerCase()),
    allowedOrigins: readList(env, "LOOM_SERVER_ALLOWED_ORIGINS"),
  };
}

function readProvider(
  env: NodeJS.ProcessEnv,
  name: ProviderName,
  options: { readonly warn?: (sentence: string) => void },
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
  // A server that only speaks OpenAI's protocol has models of its own; one that speaks Anthropic's is a proxy for it.
  const known = isOfficial || name === "anthropic" ? defaults : undefined;
  const model = env[`LOOM_SERVER_${upper}_MODEL`] || undefined;
  return {
    baseUrl: baseUrl ?? defaults.baseUrl,
    isOfficial,
    key,
    model: model ?? known?.model,
    fastModel: env[`LOOM_SERVER_${upper}_FAST_MODEL`] || known?.fastModel,
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

function takeSecret(
  env: NodeJS.ProcessEnv,
  name: string,
  options: { readonly warn?: (sentence: string) => void },
): Secret | undefined {
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

function readDefaultProvider(env: Environment, providers: ServerConfig["providers"]): ProviderName | undefined {
  const wish = env.LOOM_SERVER_DEFAULT_PROVIDER ?? "";
  if (wish !== "") {
    const known = PROVIDER_NAMES.find((name) => name === wish);
    if (known !== undefined) return known;
    throw new ConfigError(`LOOM_SERVER_DEFAULT_PROVIDER has to be one of: ${PROVIDER_NAMES.join(", ")}.`);
  }
  // Whoever gives Loom an address means it, whatever other keys lie around.
  if ((env.LOOM_OPENAI_BASE_URL ?? "") !== "" && providers.openai !== undefined) return "openai";
  return PROVIDER_NAMES.find((name) => providers[name] !== undefined);
}

function readDeadlines(env: Environment): UpstreamDeadlines {
  const deadlines: Partial<Record<keyof UpstreamDeadlines, number>> = {};
  for (const [variable, field, fallback] of DEADLINES) {
    deadlines[field] = readSeconds(env, variable, fallback) * 1000;
  }
  return deadlines as UpstreamDeadlines;
}

function readSeconds(env: Environment, variable: string, fallback: number): number {
  const text = env[variable] ?? "";
  if (text === "") return fallback;
  const seconds = /^\d+(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS) return seconds;
  throw new ConfigError(`${variable} has to be a number of seconds, more than 0 and at most ${MAX_TIMEOUT_SECONDS}.`);
}

function readList(env: Environment, variable: string): string[] {
  return (env[variable] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
