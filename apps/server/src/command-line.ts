import { join, resolve } from "node:path";
import type { Environment } from "@loom/config";
import { dataDirectoryOf, readFlags, refuseFurtherWords } from "./command-flags.ts";
import { isLoopbackName } from "./kit/host-check.ts";
import { LOG_LEVELS, type LogLevel } from "./kit/log.ts";
import { UsageError } from "./usage-error.ts";

export type ServerCommand =
  | { readonly type: "help" }
  | { readonly type: "version" }
  | {
      readonly type: "run";
      readonly listen: { readonly host: string; readonly port: number };
      readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
      readonly dataDirectory: string;
      readonly ownerTokenFile: string;
      readonly resetOwnerToken: boolean;
      readonly logLevel: LogLevel;
      readonly logFile: string | undefined;
      readonly drainMs: number;
    };

const DEFAULT_LISTEN = "127.0.0.1:5666";
const DEFAULT_DRAIN_SECONDS = 10;
const MAX_DRAIN_SECONDS = 3_600;

const COMMAND = "loom-server";
const FLAGS = {
  listen: { type: "string" },
  data: { type: "string" },
  "owner-token-file": { type: "string" },
  "reset-owner-token": { type: "boolean" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "allow-insecure-listen": { type: "boolean" },
  "log-level": { type: "string" },
  "log-file": { type: "string" },
  "drain-timeout": { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

export const HELP = `Usage: loom-server [flags]
       loom-server token create|list|show|revoke ...        (see loom-server token --help)
       loom-server budget set|list|show|remove              (see loom-server budget --help)
       loom-server credential add|list|enable|disable ...   (see loom-server credential --help)
       loom-server route list|set|delete|explain ...      (see loom-server route --help)
       loom-server policy explain|check                    (see loom-server policy --help)
       loom-server db status|migrate|backup|restore|copy   (see loom-server db --help)
       loom-server audit verify|list|seal                  (see loom-server audit --help)
       loom-server mail test ADDRESS                       (see loom-server mail --help)

Keeps the keys of model providers and lets Loom's clients use the models.

  --listen HOST:PORT        where to listen (LOOM_SERVER_LISTEN; default ${DEFAULT_LISTEN})
  --data DIR                where the database lives (LOOM_SERVER_DATA_DIR)
  --owner-token-file FILE   where the first start writes the owner's token (default: owner-token in the data directory)
  --reset-owner-token       make a new owner's token; the old one is void
  --tls-cert FILE           certificate chain, PEM (LOOM_SERVER_TLS_CERT)
  --tls-key FILE            its key, PEM (LOOM_SERVER_TLS_KEY)
  --allow-insecure-listen   listen beyond this machine without TLS, because something else protects the network
  --log-level LEVEL         ${LOG_LEVELS.join(", ")} (LOOM_SERVER_LOG_LEVEL; default info)
  --log-file FILE           where the log goes instead of the standard output
  --drain-timeout SECONDS   how long requests may go on after SIGTERM or Ctrl+C (default ${DEFAULT_DRAIN_SECONDS})
  --help, --version

The database: a SQLite file in the data directory, or PostgreSQL 15 or later, each variable also as NAME_FILE:
  LOOM_SERVER_DATABASE_URL, or DATABASE_URL               postgres://USER:PASSWORD@HOST/NAME
  LOOM_SERVER_DATABASE_POOL, ..._STATEMENT_TIMEOUT        connections at most (10); seconds (30)
Providers, each variable also as NAME_FILE for keys; LOOM_SERVER_..._API_KEYS_FILE has one key a line:
  LOOM_SERVER_ANTHROPIC_API_KEY, or ANTHROPIC_API_KEY     LOOM_SERVER_OPENAI_API_KEY, or OPENAI_API_KEY
  LOOM_SERVER_ANTHROPIC_BASE_URL                          LOOM_SERVER_OPENAI_BASE_URL, or LOOM_OPENAI_BASE_URL
  LOOM_SERVER_ANTHROPIC_MODEL, ..._FAST_MODEL             LOOM_SERVER_OPENAI_MODEL, ..._FAST_MODEL
  LOOM_SERVER_DEFAULT_PROVIDER                            a provider that is set up
Routes, a TOML file that is read again whenever it changes:
  LOOM_SERVER_ROUTES_FILE
Seconds to wait for a provider:
  LOOM_SERVER_CONNECT_TIMEOUT, _HEADERS_TIMEOUT, _FIRST_EVENT_TIMEOUT, _GAP_TIMEOUT, _COMPLETE_TIMEOUT
Names besides those of this machine, and web origins whose pages may use the server with a token, comma-separated:
  LOOM_SERVER_ALLOWED_HOSTS, LOOM_SERVER_ALLOWED_ORIGINS
How requests are spread over several keys of a provider: round-robin (default) or least-loaded:
  LOOM_SERVER_ANTHROPIC_CREDENTIAL_SELECTION, ...
What stored keys are encrypted with (default: a file in the data directory):
  LOOM_SERVER_MASTER_KEY, LOOM_SERVER_MASTER_KEY_FILE
The audit log (docs/audit.md): when it is full, how long it stays, requests for models, what signs it, where it goes:
  LOOM_SERVER_AUDIT_OVERFLOW, _RETENTION_DAYS, _LLM, _KEY (or _KEY_FILE), _LOG_DIR, _SYSLOG, _WEBHOOK_URL,
  _WEBHOOK_SECRET
Models without a known price, for those with a budget in money: refuse (default) or allow:
  LOOM_SERVER_UNPRICED_MODELS
`;

/** @throws UsageError */
export function parseCommandLine(args: readonly string[], env: Environment): ServerCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  if (values.help === true) return { type: "help" };
  if (values.version === true) return { type: "version" };
  refuseFurtherWords(COMMAND, positionals);
  const listen = parseListen(values.listen ?? nonEmpty(env.LOOM_SERVER_LISTEN) ?? DEFAULT_LISTEN);
  const tls = tlsFiles(
    values["tls-cert"] ?? nonEmpty(env.LOOM_SERVER_TLS_CERT),
    values["tls-key"] ?? nonEmpty(env.LOOM_SERVER_TLS_KEY),
  );
  if (!isLoopbackName(listen.host) && tls === undefined && values["allow-insecure-listen"] !== true) {
    throw new UsageError(
      `${listen.host} can be reached from other machines, and without TLS everybody on the way could read tokens and prompts: give --tls-cert and --tls-key, listen on 127.0.0.1 behind a proxy that speaks TLS, or say --allow-insecure-listen if the network itself is protected.`,
    );
  }
  const dataDirectory = dataDirectoryOf(values.data, env);
  return {
    type: "run",
    listen,
    tls,
    dataDirectory,
    ownerTokenFile: resolve(values["owner-token-file"] ?? join(dataDirectory, "owner-token")),
    resetOwnerToken: values["reset-owner-token"] === true,
    logLevel: parseLogLevel(values["log-level"] ?? nonEmpty(env.LOOM_SERVER_LOG_LEVEL) ?? "info"),
    logFile: values["log-file"] === undefined ? undefined : resolve(values["log-file"]),
    drainMs: parseDrain(values["drain-timeout"]) * 1000,
  };
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new UsageError(
    `${JSON.stringify(text)} is no place to listen: give HOST:PORT, e.g. ${DEFAULT_LISTEN} or [::1]:5666.`,
  );
}

function tlsFiles(certFile: string | undefined, keyFile: string | undefined) {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError("TLS needs both a certificate and its key: give --tls-cert and --tls-key.");
  }
  return { certFile: resolve(certFile), keyFile: resolve(keyFile) };
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text);
  if (level !== undefined) return level;
  throw new UsageError(`${JSON.stringify(text)} is no log level: use one of ${LOG_LEVELS.join(", ")}.`);
}

function parseDrain(text: string | undefined): number {
  if (text === undefined) return DEFAULT_DRAIN_SECONDS;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= MAX_DRAIN_SECONDS) return seconds;
  throw new UsageError(`--drain-timeout has to be a number of seconds, at most ${MAX_DRAIN_SECONDS}.`);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
