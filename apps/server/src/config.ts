import { resolve } from "node:path";
import type { Environment } from "@loom/config";
import { ConfigError, type Secret, takeSecret } from "@loom/config";
import { type LedgerConfig, readLedgerConfig } from "./features/ledger/ledger-config.ts";
import { networks, type TrustedProxies } from "./kit/client-address.ts";
import {
  isBuiltIn,
  PROVIDER_NAMES,
  type ProviderConfig,
  readDormantProviders,
  readProviders,
} from "./provider-config.ts";

/** Milliseconds; see the variables below. */
export type UpstreamDeadlines = {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly firstEventMs: number;
  readonly gapMs: number;
  readonly completeMs: number;
};

export type ServerConfig = {
  /** Those that are set up, by name. */
  readonly providers: Readonly<Record<string, ProviderConfig>>;
  /** What other providers are as soon as a credential is stored for them, by name. */
  readonly dormantProviders: Readonly<Record<string, ProviderConfig>>;
  readonly defaultProvider: string | undefined;
  /** What stored credentials are encrypted with; without it, a file in the data directory has the key. */
  readonly masterKey: Secret | undefined;
  readonly deadlines: UpstreamDeadlines;
  readonly ledger: LedgerConfig;
  /** TOML; read again whenever it changes. */
  readonly routesFile: string | undefined;
  /** Names under which the server may be called besides those of the loopback interface. */
  readonly allowedHosts: readonly string[];
  /** Origins of web pages that may use the server. */
  readonly allowedOrigins: readonly string[];
  /** The address under which people reach the server, without a slash at the end; absent: the one it listens on. */
  readonly publicUrl: string | undefined;
  /** Whose X-Forwarded-For is believed. */
  readonly isTrustedProxy: TrustedProxies;
  /** Whether those who have a budget in money may use models whose price is not known. */
  readonly allowUnpricedModels: boolean;
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
  const providers = readProviders(env, options);
  const publicUrl = readPublicUrl(env);
  return {
    providers,
    dormantProviders: readDormantProviders(env, providers),
    masterKey: takeSecret(env, "LOOM_SERVER_MASTER_KEY", options),
    defaultProvider: readDefaultProvider(env, providers),
    deadlines: readDeadlines(env),
    ledger: readLedgerConfig(env),
    routesFile: env.LOOM_SERVER_ROUTES_FILE ? resolve(env.LOOM_SERVER_ROUTES_FILE) : undefined,
    publicUrl: publicUrl?.origin,
    isTrustedProxy: readTrustedProxies(env),
    allowedHosts: [
      ...readList(env, "LOOM_SERVER_ALLOWED_HOSTS").map((name) => name.toLowerCase()),
      ...(publicUrl === undefined ? [] : [publicUrl.hostname]),
    ],
    allowedOrigins: [
      ...readOrigins(env, "LOOM_SERVER_ALLOWED_ORIGINS"),
      ...(publicUrl === undefined ? [] : [publicUrl.origin]),
    ],
    allowUnpricedModels: readUnpricedModels(env),
  };
}

function readDefaultProvider(env: Environment, providers: ServerConfig["providers"]): string | undefined {
  const wish = env.LOOM_SERVER_DEFAULT_PROVIDER ?? "";
  const known = [...PROVIDER_NAMES, ...Object.keys(providers).filter((name) => !isBuiltIn(name))];
  if (wish !== "") {
    if (known.includes(wish)) return wish;
    throw new ConfigError(`LOOM_SERVER_DEFAULT_PROVIDER has to be one of: ${known.join(", ")}.`);
  }
  // Whoever gives Loom an address means it, whatever other keys lie around.
  if ((env.LOOM_OPENAI_BASE_URL ?? "") !== "" && providers.openai !== undefined) return "openai";
  return known.find((name) => providers[name] !== undefined);
}

function readPublicUrl(env: Environment): URL | undefined {
  const text = env.LOOM_SERVER_PUBLIC_URL ?? "";
  if (text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url;
  throw new ConfigError("LOOM_SERVER_PUBLIC_URL has to be an address without a path, e.g. https://loom.example.com.");
}

/** As browsers write them: they are compared letter by letter. */
function readOrigins(env: Environment, variable: string): string[] {
  const origins = readList(env, variable);
  const wrong = origins.find((origin) => !ORIGIN.test(origin));
  if (wrong === undefined) return origins;
  throw new ConfigError(
    `${variable} has to be a list of origins without a path, in lower case and each in full, e.g. https://app.example.com.`,
  );
}

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._\-[\]:]+$/;

function readTrustedProxies(env: Environment): TrustedProxies {
  try {
    return networks(readList(env, "LOOM_SERVER_TRUSTED_PROXIES"));
  } catch (error) {
    throw new ConfigError(`LOOM_SERVER_TRUSTED_PROXIES: ${error instanceof Error ? error.message : error}.`);
  }
}

function readUnpricedModels(env: Environment): boolean {
  const wish = env.LOOM_SERVER_UNPRICED_MODELS ?? "";
  if (wish === "" || wish === "refuse") return false;
  if (wish === "allow") return true;
  throw new ConfigError("LOOM_SERVER_UNPRICED_MODELS has to be refuse or allow.");
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
