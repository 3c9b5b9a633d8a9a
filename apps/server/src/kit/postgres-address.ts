import { readFileSync } from "node:fs";
import { ConfigError, Secret } from "@loom/config";

/** Where a PostgreSQL database is, and how it is to be spoken to. */
export type PostgresAddress = {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly tls: PostgresTls | undefined;
  /** Command-line options for the session, e.g. `-c search_path=loom`. */
  readonly options: string | undefined;
  /** Connections at most. */
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** Without the password: for sentences and logs. */
  readonly place: string;
};

/** PEM. What libpq's `sslmode` asks to be checked (postgresql.org/docs/15/libpq-ssl.html). */
export type PostgresTls = {
  readonly verify: "nothing" | "chain" | "chain_and_name";
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
};

const PARAMETERS = ["host", "port", "user", "sslmode", "sslrootcert", "sslcert", "sslkey", "options"] as const;
type Parameter = (typeof PARAMETERS)[number];

/** A URL may not have a user and no host. */
const NO_HOST = "host.invalid";

const DEFAULTS = { poolSize: 10, statementTimeoutMs: 30_000 };

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…`, as libpq would, but that a database beyond this machine
 * is spoken to with TLS and its name is checked, unless the URL says otherwise.
 * @param origin what the URL came from, for the message, which never repeats it.
 * @throws ConfigError
 */
export function parsePostgresUrl(
  url: Secret,
  origin: string,
  bounds: { readonly poolSize?: number | undefined; readonly statementTimeoutMs?: number | undefined } = {},
): PostgresAddress {
  const parsed = parse(url.expose(), origin);
  const parameters = parametersOf(parsed, origin);
  // libpq's ways to name a socket: a parameter, or the host in percents.
  const named = parsed.hostname === NO_HOST ? "" : decoded(parsed.hostname, origin).replace(/^\[(.*)\]$/, "$1");
  const host = parameters.host ?? named;
  if (host === "") throw new ConfigError(`${origin} names no host: it has to look like postgres://user@host/database.`);
  const user = decoded(parsed.username, origin) || parameters.user;
  const database = decoded(parsed.pathname.slice(1), origin) || user;
  if (database === undefined || database.includes("/")) {
    throw new ConfigError(`${origin} names no database: it has to look like postgres://user@host/database.`);
  }
  const port = Number(parsed.port || (parameters.port ?? "5432"));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ConfigError(`${origin} names a port that is none: it has to be a number from 1 to 65535.`);
  }
  const password = decoded(parsed.password, origin);
  return {
    host,
    port,
    database,
    user,
    password: password === "" ? undefined : new Secret(password),
    tls: tlsOf(parameters, host, origin),
    options: parameters.options,
    poolSize: bounds.poolSize ?? DEFAULTS.poolSize,
    statementTimeoutMs: bounds.statementTimeoutMs ?? DEFAULTS.statementTimeoutMs,
    place: `postgres://${user === undefined ? "" : `${user}@`}${isSocket(host) ? "" : bracketed(host)}${port === 5432 ? "" : `:${port}`}/${database}${isSocket(host) ? ` in ${host}` : ""}`,
  };
}

function parse(text: string, origin: string): URL {
  const url = URL.parse(text.replace(/^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?=[/?#]|$)/, `$1${NO_HOST}`));
  if (url === null || (url.protocol !== "postgres:" && url.protocol !== "postgresql:") || url.hash !== "") {
    throw new ConfigError(`${origin} is no address of a PostgreSQL database: it has to begin with postgres://.`);
  }
  return url;
}

function parametersOf(url: URL, origin: string): { readonly [Name in Parameter]?: string } {
  const found: { [Name in Parameter]?: string } = {};
  for (const [name, value] of url.searchParams) {
    const known = PARAMETERS.find((each) => each === name);
    if (known === undefined) {
      throw new ConfigError(
        `${origin} has the parameter ${JSON.stringify(name.slice(0, 40))}, which means nothing here: there are ${PARAMETERS.join(", ")}.`,
      );
    }
    if (value !== "") found[known] = value;
  }
  return found;
}

function tlsOf(parameters: ReturnType<typeof parametersOf>, host: string, origin: string): PostgresTls | undefined {
  const mode = parameters.sslmode ?? (isSocket(host) || isThisMachine(host) ? "disable" : "verify-full");
  if (mode === "disable") return undefined;
  const verify = VERIFY[mode];
  if (verify === undefined) {
    throw new ConfigError(`The sslmode of ${origin} has to be disable, require, verify-ca or verify-full.`);
  }
  const file = (name: "sslrootcert" | "sslcert" | "sslkey"): string | undefined => {
    const path = parameters[name];
    return path === undefined || path === "system" ? undefined : readPem(path, `${name} of ${origin}`);
  };
  const ca = file("sslrootcert");
  // As libpq has it: whoever gives a root certificate wants it to be looked at.
  return { verify: verify === "nothing" && ca ? "chain" : verify, ca, cert: file("sslcert"), key: file("sslkey") };
}

const VERIFY: Readonly<Record<string, PostgresTls["verify"]>> = {
  require: "nothing",
  "verify-ca": "chain",
  "verify-full": "chain_and_name",
};

function readPem(path: string, origin: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new ConfigError(`The file ${path}, named by ${origin}, cannot be read (${code}).`);
  }
}

function decoded(text: string, origin: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`${origin} has a percent sign that encodes nothing: write it as %25.`);
  }
}

function isSocket(host: string): boolean {
  return host.startsWith("/");
}

function isThisMachine(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
