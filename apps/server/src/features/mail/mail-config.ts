import { resolve } from "node:path";
import { ConfigError, type Environment, type Secret, takeSecret } from "@loom/config";

/**
 * How the connection is protected: `tls` from its first byte; `starttls`: asked for, and nothing is said where it is not
 * granted; `none`: not at all.
 */
export type SmtpSecurity = "tls" | "starttls" | "none";

export type MailConfig = {
  /** RFC 5322 mailbox: `Loom <loom@example.com>` or the address alone. */
  readonly from: string;
} & (
  | {
      readonly transport: "smtp";
      readonly host: string;
      readonly port: number;
      readonly security: SmtpSecurity;
      readonly login: { readonly user: string; readonly password: Secret } | undefined;
    }
  /** For development: each mail becomes a file of this directory. */
  | { readonly transport: "file"; readonly directory: string }
);

const SECURITY = ["tls", "starttls", "none"] as const satisfies readonly SmtpSecurity[];
const PORTS: Readonly<Record<SmtpSecurity, number>> = { tls: 465, starttls: 587, none: 25 };

/**
 * Reads `LOOM_SERVER_SMTP_*`, `LOOM_SERVER_MAIL_FROM` and `LOOM_SERVER_MAIL_DIRECTORY`; `undefined` where there is no
 * mail. The password is taken out of `env`.
 * @throws ConfigError that names the variable.
 */
export function takeMailConfig(
  env: NodeJS.ProcessEnv,
  options: { readonly warn?: (sentence: string) => void } = {},
): MailConfig | undefined {
  const password = takeSecret(env, "LOOM_SERVER_SMTP_PASSWORD", options);
  const host = env.LOOM_SERVER_SMTP_HOST ?? "";
  const directory = env.LOOM_SERVER_MAIL_DIRECTORY ?? "";
  if (host === "" && directory === "") return undefined;
  if (host !== "" && directory !== "") {
    throw new ConfigError("Set LOOM_SERVER_SMTP_HOST or LOOM_SERVER_MAIL_DIRECTORY, not both.");
  }
  if (directory !== "")
    return { transport: "file", directory: resolve(directory), from: readFrom(env) ?? "loom@localhost" };
  const from = readFrom(env);
  if (from === undefined) {
    throw new ConfigError(
      "LOOM_SERVER_MAIL_FROM has to be set: the address that mail comes from, e.g. loom@example.com.",
    );
  }
  const security = SECURITY.find((each) => each === env.LOOM_SERVER_SMTP_TLS);
  if (security === undefined) {
    throw new ConfigError(`LOOM_SERVER_SMTP_TLS has to be one of ${SECURITY.join(", ")}: nothing is guessed.`);
  }
  return {
    transport: "smtp",
    host,
    port: readPort(env, PORTS[security]),
    security,
    login: readLogin(env, password, security),
    from,
  };
}

function readFrom(env: Environment): string | undefined {
  const from = env.LOOM_SERVER_MAIL_FROM ?? "";
  if (from === "") return undefined;
  if (/^(?:[^<>\r\n"]{1,100} <[^<>\s@]+@[^<>\s@]+>|[^<>\s@]+@[^<>\s@]+)$/.test(from)) return from;
  throw new ConfigError("LOOM_SERVER_MAIL_FROM has to look like loom@example.com or Loom <loom@example.com>.");
}

function readPort(env: Environment, fallback: number): number {
  const text = env.LOOM_SERVER_SMTP_PORT ?? "";
  if (text === "") return fallback;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new ConfigError("LOOM_SERVER_SMTP_PORT has to be a port, 1 to 65535.");
}

function readLogin(env: Environment, password: Secret | undefined, security: SmtpSecurity) {
  const user = env.LOOM_SERVER_SMTP_USERNAME ?? "";
  if (user === "" && password === undefined) return undefined;
  if (user === "" || password === undefined) {
    throw new ConfigError("LOOM_SERVER_SMTP_USERNAME and LOOM_SERVER_SMTP_PASSWORD go together: set both or neither.");
  }
  if (security === "none") {
    throw new ConfigError(
      "A password does not go over a connection without TLS: set LOOM_SERVER_SMTP_TLS to tls or starttls.",
    );
  }
  return { user, password };
}
