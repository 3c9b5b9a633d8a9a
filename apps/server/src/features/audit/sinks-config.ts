import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError, type Environment, takeSecret } from "@loom/config";
import type { AuditSeverity } from "../../kit/audit-events.ts";
import { type ReachableAddress, reachableAddresses } from "../../kit/outgoing-address.ts";
import { readChoice, readNumber, readSeverity } from "./audit-variables.ts";
import type { SyslogFormat } from "./sinks/syslog-message.ts";
import type { SyslogAddress } from "./sinks/syslog-target.ts";
import { readWebhookSecrets } from "./sinks/webhook-signature.ts";

type OfSink = { readonly minSeverity: AuditSeverity };

/** Where events go besides the database. */
export type SinksConfig = {
  readonly file?: OfSink & { readonly directory: string };
  readonly syslog?: OfSink & {
    readonly address: SyslogAddress;
    readonly facility: number;
    readonly format: SyslogFormat;
    readonly app: string;
  };
  readonly webhook?: OfSink & {
    readonly url: URL;
    readonly secrets: readonly Uint8Array[];
    readonly mayReach: ReachableAddress;
    readonly ca?: string | undefined;
  };
};

type Warn = { readonly warn?: (sentence: string) => void };

const PORTS = { udp: 514, tcp: 601, tls: 6514 } as const;
/** "log audit" of RFC 5424. */
const DEFAULT_FACILITY = 13;

/** Takes the secrets out of `env`. @throws ConfigError that names the variable. */
export function takeSinksConfig(env: NodeJS.ProcessEnv, options: Warn): SinksConfig {
  const file = readFileSink(env);
  const syslog = readSyslog(env);
  const webhook = takeWebhook(env, options);
  return {
    ...(file === undefined ? {} : { file }),
    ...(syslog === undefined ? {} : { syslog }),
    ...(webhook === undefined ? {} : { webhook }),
  };
}

function readFileSink(env: Environment): SinksConfig["file"] {
  const directory = env.LOOM_SERVER_AUDIT_LOG_DIR ?? "";
  if (directory === "") return undefined;
  return { directory: resolve(directory), minSeverity: readSeverity(env, "LOOM_SERVER_AUDIT_LOG_MIN_SEVERITY") };
}

function readSyslog(env: Environment): SinksConfig["syslog"] {
  const text = env.LOOM_SERVER_AUDIT_SYSLOG ?? "";
  if (text === "") return undefined;
  const match = /^(udp|tcp|tls):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(text);
  const transport = (["udp", "tcp", "tls"] as const).find((each) => each === match?.[1]);
  const host = match?.[2] ?? match?.[3];
  const port = Number(match?.[4] ?? (transport === undefined ? 0 : PORTS[transport]));
  if (transport === undefined || host === undefined || port < 1 || port > 65_535) {
    throw new ConfigError(
      "LOOM_SERVER_AUDIT_SYSLOG has to be udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT, e.g. tls://logs.example.com:6514.",
    );
  }
  const app = env.LOOM_SERVER_AUDIT_SYSLOG_APP || "loom";
  if (!/^[\x21-\x7e]{1,48}$/.test(app)) {
    throw new ConfigError("LOOM_SERVER_AUDIT_SYSLOG_APP has to be 1 to 48 printable characters without spaces.");
  }
  return {
    address: { transport, host, port, ca: readCertificate(env, "LOOM_SERVER_AUDIT_SYSLOG_CA") },
    facility: readNumber(env, "LOOM_SERVER_AUDIT_SYSLOG_FACILITY", { least: 0, most: 23 }) ?? DEFAULT_FACILITY,
    format: readChoice(env, "LOOM_SERVER_AUDIT_SYSLOG_FORMAT", ["json", "cef"], "json"),
    app,
    minSeverity: readSeverity(env, "LOOM_SERVER_AUDIT_SYSLOG_MIN_SEVERITY"),
  };
}

function takeWebhook(env: NodeJS.ProcessEnv, options: Warn): SinksConfig["webhook"] {
  const address = takeSecret(env, "LOOM_SERVER_AUDIT_WEBHOOK_URL", options);
  const secret = takeSecret(env, "LOOM_SERVER_AUDIT_WEBHOOK_SECRET", options);
  if (address === undefined) return undefined;
  if (secret === undefined) {
    throw new ConfigError("LOOM_SERVER_AUDIT_WEBHOOK_URL needs LOOM_SERVER_AUDIT_WEBHOOK_SECRET or its _FILE twin.");
  }
  const allow = (env.LOOM_SERVER_AUDIT_WEBHOOK_ALLOW ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const url = URL.canParse(address.expose()) ? new URL(address.expose()) : undefined;
  // Without TLS only where the operator has said by name that the network is his own.
  const isWeb = url?.protocol === "https:" || (url?.protocol === "http:" && allow.length > 0);
  if (url === undefined || !isWeb || url.username !== "" || url.password !== "") {
    throw new ConfigError("LOOM_SERVER_AUDIT_WEBHOOK_URL has to be an https address without a user name.");
  }
  return {
    url,
    secrets: readWebhookSecrets(secret.expose(), "LOOM_SERVER_AUDIT_WEBHOOK_SECRET"),
    mayReach: reachable(allow),
    ca: readCertificate(env, "LOOM_SERVER_AUDIT_WEBHOOK_CA"),
    minSeverity: readSeverity(env, "LOOM_SERVER_AUDIT_WEBHOOK_MIN_SEVERITY"),
  };
}

function reachable(allow: readonly string[]): ReachableAddress {
  try {
    return reachableAddresses(allow);
  } catch (error) {
    throw new ConfigError(`LOOM_SERVER_AUDIT_WEBHOOK_ALLOW: ${error instanceof Error ? error.message : error}.`);
  }
}

/** A file with certificates, PEM. */
function readCertificate(env: Environment, variable: string): string | undefined {
  const file = env[variable] ?? "";
  if (file === "") return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new ConfigError(`The file ${file}, named by ${variable}, cannot be read (${code}).`);
  }
}
