import { Resolver } from "node:dns";
import { ConfigError, type Environment, type Secret, takeSecret } from "@loom/config";
import { isLoopbackName } from "../../kit/host-check.ts";

/** Somebody whom this server believes who a person is. */
export type ProviderConfig = {
  /** Lower case, in addresses: `okta`. */
  readonly name: string;
  /** For people: `Okta`. */
  readonly label: string;
  readonly type: "openid" | "github";
  /** OpenID Connect: the issuer; GitHub: where it is, e.g. `https://github.com`. No slash at the end. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Whose mail addresses it is believed about, in lower case; empty: everybody's. */
  readonly domains: readonly string[];
};

export type SignInConfig = {
  /** In the order in which people see them. */
  readonly providers: readonly ProviderConfig[];
  /** Whether somebody whom nobody knows yet gets an account. */
  readonly signups: "open" | "closed";
  /** Whether links are sent by mail; `undefined`: if there is mail. */
  readonly magicLink: boolean | undefined;
  /** For development: the mail address of the user that everybody is. */
  readonly developmentUser: string | undefined;
  readonly sessions: { readonly idleMs: number; readonly maxMs: number };
  /** How long an API key may live at most, in milliseconds; `undefined`: for ever. */
  readonly apiKeyMaxMs: number | undefined;
  /** Countries by address, in MaxMind's format; absent: the one that is installed. */
  readonly geoipFile: string | undefined;
  /** Name servers that are asked whose a mail domain is, e.g. `10.0.0.53` or `127.0.0.1:5353`; none: the system's. */
  readonly dnsServers: readonly string[];
};

type Options = { readonly warn?: (sentence: string) => void };

const DAY_MS = 86_400_000;
const MAX_DAYS = 3_650;
const NAME = /^[A-Z0-9](?:_?[A-Z0-9])*$/;
const ISSUER_VARIABLE = /^LOOM_SERVER_OIDC_(.*)_ISSUER$/;

/**
 * Reads who people sign in with. Every secret is taken out of `env`, so that no child process inherits it.
 * @throws ConfigError that names the variable.
 */
export function takeSignInConfig(env: NodeJS.ProcessEnv, options: Options = {}): SignInConfig {
  const days = (variable: string, fallback: number): number => readDays(env, variable, fallback) * DAY_MS;
  return {
    providers: readProviders(env, options),
    signups: readSignups(env),
    magicLink: readMagicLink(env),
    developmentUser: readDevelopmentUser(env),
    sessions: { idleMs: days("LOOM_SERVER_SESSION_IDLE_DAYS", 60), maxMs: days("LOOM_SERVER_SESSION_MAX_DAYS", 180) },
    apiKeyMaxMs: env.LOOM_SERVER_API_KEY_MAX_DAYS ? days("LOOM_SERVER_API_KEY_MAX_DAYS", MAX_DAYS) : undefined,
    geoipFile: env.LOOM_SERVER_GEOIP_FILE || undefined,
    dnsServers: readDnsServers(env),
  };
}

/** Nobody can sign in. */
export const NO_SIGN_IN: SignInConfig = takeSignInConfig({});

function readProviders(env: NodeJS.ProcessEnv, options: Options): ProviderConfig[] {
  const provider = (
    prefix: string,
    fixed: Pick<ProviderConfig, "name" | "label" | "type" | "url">,
  ): ProviderConfig => ({
    ...fixed,
    label: env[`${prefix}_LABEL`] || fixed.label,
    clientId: required(env, `${prefix}_CLIENT_ID`),
    clientSecret: takeClientSecret(env, `${prefix}_CLIENT_SECRET`, options),
    domains: readDomains(env, `${prefix}_DOMAINS`),
  });
  const all: ProviderConfig[] = [];
  if (env.LOOM_SERVER_OKTA_DOMAIN) {
    const domain = env.LOOM_SERVER_OKTA_DOMAIN;
    const issuer = domain.includes("://") ? domain : `https://${domain}`;
    const url = readUrl(issuer, "LOOM_SERVER_OKTA_DOMAIN");
    all.push(provider("LOOM_SERVER_OKTA", { name: "okta", label: "Okta", type: "openid", url }));
  }
  if (env.LOOM_SERVER_GOOGLE_CLIENT_ID) {
    const url = readUrl(env.LOOM_SERVER_GOOGLE_ISSUER || "https://accounts.google.com", "LOOM_SERVER_GOOGLE_ISSUER");
    all.push(provider("LOOM_SERVER_GOOGLE", { name: "google", label: "Google", type: "openid", url }));
  }
  if (env.LOOM_SERVER_GITHUB_CLIENT_ID) {
    const url = readUrl(env.LOOM_SERVER_GITHUB_BASE_URL || "https://github.com", "LOOM_SERVER_GITHUB_BASE_URL");
    all.push(provider("LOOM_SERVER_GITHUB", { name: "github", label: "GitHub", type: "github", url }));
  }
  for (const variable of Object.keys(env).sort()) {
    const part = ISSUER_VARIABLE.exec(variable)?.[1];
    if (part === undefined || !env[variable]) continue;
    const name = part.toLowerCase().replaceAll("_", "-");
    if (!NAME.test(part) || part.length > 40) {
      throw new ConfigError(`${variable}: the name in it has to be 1 to 40 upper case letters, digits and single _.`);
    }
    if (all.some((each) => each.name === name)) {
      throw new ConfigError(`${variable}: the name ${name} is taken; choose another.`);
    }
    const url = readUrl(env[variable] ?? "", variable);
    all.push(provider(`LOOM_SERVER_OIDC_${part}`, { name, label: name, type: "openid", url }));
  }
  return all;
}

/** Nobody between us and a provider may read or change what they say to each other. */
function readUrl(text: string, variable: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === "http:" && isLoopbackName(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  const isClean = url?.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (url !== undefined && isClean && (url.protocol === "https:" || isPlain)) return url.href.replace(/\/$/, "");
  throw new ConfigError(`${variable} has to be an address that begins with https://, with nothing behind its path.`);
}

function required(env: Environment, variable: string): string {
  const value = env[variable] ?? "";
  if (value !== "") return value;
  throw new ConfigError(`${variable} has to be set, too: the provider gives it to whoever registers Loom with it.`);
}

function takeClientSecret(env: NodeJS.ProcessEnv, variable: string, options: Options): Secret {
  const secret = takeSecret(env, variable, options);
  if (secret !== undefined) return secret;
  throw new ConfigError(`${variable}, or ${variable}_FILE, has to be set, too.`);
}

function readDomains(env: Environment, variable: string): string[] {
  const domains = (env[variable] ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== "");
  const wrong = domains.find((domain) => !isDomain(domain));
  if (wrong === undefined) return domains;
  throw new ConfigError(`${variable}: ${JSON.stringify(wrong)} is no domain such as example.com.`);
}

/** In lower case, with at least two labels. */
export function isDomain(text: string): boolean {
  return text.length <= 253 && /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/.test(text);
}

function readDnsServers(env: Environment): readonly string[] {
  const servers = (env.LOOM_SERVER_DNS_SERVERS ?? "").split(",").flatMap((each) => each.trim() || []);
  try {
    new Resolver().setServers(servers);
    return servers;
  } catch {
    throw new ConfigError(
      "LOOM_SERVER_DNS_SERVERS has to be addresses, e.g. 10.0.0.53 or 127.0.0.1:5353, with commas between.",
    );
  }
}

function readSignups(env: Environment): "open" | "closed" {
  const wish = env.LOOM_SERVER_SIGNUPS || "open";
  if (wish === "open" || wish === "closed") return wish;
  throw new ConfigError("LOOM_SERVER_SIGNUPS has to be open or closed.");
}

function readMagicLink(env: Environment): boolean | undefined {
  const wish = env.LOOM_SERVER_MAGIC_LINK || undefined;
  if (wish === undefined) return undefined;
  if (wish === "on" || wish === "off") return wish === "on";
  throw new ConfigError("LOOM_SERVER_MAGIC_LINK has to be on or off.");
}

function readDevelopmentUser(env: Environment): string | undefined {
  const address = env.LOOM_SERVER_DEV_USER || undefined;
  if (address === undefined || /^[^@\s]+@[^@\s]+$/.test(address)) return address;
  throw new ConfigError("LOOM_SERVER_DEV_USER has to be a mail address, e.g. ada@example.com.");
}

function readDays(env: Environment, variable: string, fallback: number): number {
  const text = env[variable] || String(fallback);
  const days = /^\d{1,4}(?:\.\d{1,4})?$/.test(text) ? Number(text) : 0;
  if (days > 0 && days <= MAX_DAYS) return days;
  throw new ConfigError(`${variable} has to be a number of days, more than 0 and at most ${MAX_DAYS}.`);
}
