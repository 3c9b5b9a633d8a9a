import { randomUUIDv7 } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRedactor, type Secret } from "@loom/config";
import type { MailConfig } from "./mail-config.ts";

/** A mail to one address, the same said as text and as HTML. */
export type OutgoingMail = {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
};

/** Hands one mail over. Rejects with `MailError`. */
export type MailTransport = (mail: OutgoingMail) => Promise<void>;

/** `permanent`: the server will not take this mail however often it is asked (RFC 5321, 4.2.1: a reply of 5xx). */
export class MailError extends Error {
  override readonly name = "MailError";
  readonly code = "mail_not_sent";
  readonly retryable: boolean;

  constructor(message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
  }
}

/** A line of the conversation with the mail server; what was sent of a password is not in it. */
export type DialogueLine = { readonly from: "us" | "server"; readonly text: string };

const TIMEOUT_MS = 15_000;

export function createMailTransport(config: MailConfig, onLine?: (line: DialogueLine) => void): MailTransport {
  return config.transport === "file" ? fileTransport(config) : smtpTransport(config, onLine);
}

/** `<time>-<id>.eml`, RFC 5322, whole or not there. */
function fileTransport({ directory, from }: Extract<MailConfig, { transport: "file" }>): MailTransport {
  return async (mail) => {
    const { createTransport } = await import("nodemailer");
    const { message } = await createTransport({ streamTransport: true, buffer: true }).sendMail({ ...mail, from });
    const file = join(directory, `${randomUUIDv7()}.eml`);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(`${file}.new`, message as Buffer, { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (cause) {
      throw new MailError(`The mail could not be written to ${directory} (${codeOf(cause)}).`, {
        retryable: true,
        cause,
      });
    }
  };
}

function smtpTransport(
  config: Extract<MailConfig, { transport: "smtp" }>,
  onLine?: (line: DialogueLine) => void,
): MailTransport {
  const { host, port, security, login, from } = config;
  const hide = hiding(login?.password);
  return async (mail) => {
    const { createTransport } = await import("nodemailer");
    const transport = createTransport({
      host,
      port,
      secure: security === "tls",
      // Never on a guess: without it, nodemailer goes on in the clear where STARTTLS is not offered.
      requireTLS: security === "starttls",
      ignoreTLS: security === "none",
      tls: { minVersion: "TLSv1.2" },
      ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password.expose() } }),
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(onLine === undefined ? {} : { logger: dialogueLogger(onLine, hide), transactionLog: true }),
    });
    try {
      await transport.sendMail({ ...mail, from });
    } catch (cause) {
      throw asMailError(cause, config, hide);
    } finally {
      transport.close();
    }
  };
}

type Entry = { readonly tnx?: string | undefined };

type Hide = (text: string) => string;

/** Mail servers quote what they were told. Also a password that is too short to be looked for elsewhere is no word here. */
function hiding(password: Secret | undefined): Hide {
  if (password === undefined) return String;
  const redact = createRedactor([password]);
  const plain = [password.expose(), Buffer.from(password.expose()).toString("base64")];
  return (text) => redact(plain.reduce((line, secret) => line.replaceAll(secret, "[secret]"), text));
}

function dialogueLogger(onLine: (line: DialogueLine) => void, hide: Hide) {
  const debug = (entry: Entry, text: string, ...values: readonly unknown[]): void => {
    if (entry.tnx !== "client" && entry.tnx !== "server") return;
    const filled = values.reduce<string>((line, value) => line.replace("%s", () => String(value)), text);
    const shown = hide(filled);
    onLine({ from: entry.tnx === "client" ? "us" : "server", text: shown.replace(/^(AUTH \S+) .*$/i, "$1 [secret]") });
  };
  const nothing = (): void => {};
  return { trace: nothing, debug, info: nothing, warn: nothing, error: nothing, fatal: nothing };
}

function asMailError(
  cause: unknown,
  { host, port, security }: Extract<MailConfig, { transport: "smtp" }>,
  hide: Hide,
): MailError {
  const place = `${host}:${port}`;
  const reply = responseOf(cause, hide);
  if (reply !== undefined) {
    return new MailError(`The mail server ${place} answered: ${reply.text}`, { retryable: reply.code < 500, cause });
  }
  const code = codeOf(cause);
  const why = security === "none" ? "" : ` With LOOM_SERVER_SMTP_TLS=${security}, TLS has to work.`;
  return new MailError(`The mail server ${place} could not be used (${code}).${why}`, { retryable: true, cause });
}

function responseOf(error: unknown, hide: Hide): { readonly code: number; readonly text: string } | undefined {
  if (!(error instanceof Error) || !("responseCode" in error) || typeof error.responseCode !== "number")
    return undefined;
  const text = "response" in error ? String(error.response) : error.message;
  return { code: error.responseCode, text: hide(text).replaceAll(/\s+/g, " ").slice(0, 300) };
}

/** Node's or nodemailer's own code; of a socket or TLS also its sentence, which quotes nothing that was sent. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const code = "code" in error ? String(error.code) : error.name;
  return code === "ESOCKET" || code === "ETLS" ? error.message.replaceAll(/\s+/g, " ").slice(0, 200) : code;
}
