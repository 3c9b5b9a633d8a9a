import { createConnections, ExchangeError, exchange, responseText } from "@loom/api/http";
import { createRedactor, Secret } from "@loom/config";
import { lifetimeMsOf } from "../../credentials/token-lifetime.ts";
import type { AccessToken } from "../../credentials/token-source.ts";

/** Milliseconds. A token endpoint that thinks for longer is in trouble. */
const DEADLINES = { connectMs: 5_000, headersMs: 15_000 };
const ANSWER = { maxBytes: 64 * 1024, larger: "fail", gapMs: 10_000, totalMs: 15_000 } as const;

/** Longer explanations are pages. */
const MAX_REASON = 300;

export type TokenRequest = {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form, or as JSON; absent: a GET. */
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: object;
};

/**
 * No token, and why: a whole sentence for clients, with neither a secret nor a path of this machine.
 * `retryable`: the same may work in a moment.
 */
export class SignInError extends Error {
  override readonly name = "SignInError";
  readonly retryable: boolean;
  /** Which of this machine's files it is about: for the log of the server. */
  readonly files: readonly string[];

  constructor(message: string, options: ErrorOptions & { readonly retryable: boolean; readonly files?: string[] }) {
    super(message, options);
    this.retryable = options.retryable;
    this.files = options.files ?? [];
  }

  /** The same, and that it is about this file, too. */
  about(file: string): SignInError {
    const { message, retryable, files } = this;
    return new SignInError(message, { cause: this, retryable, files: [file, ...files] });
  }
}

/** What signs in, as messages call it. */
export const ACCOUNT = "The Google account of this server";

/**
 * Asks an address that gives tokens, and gives its answer as text. Follows no redirect.
 * @param subject what signs in, for messages; no path.
 * @throws SignInError
 */
export async function askForToken(request: TokenRequest, subject = ACCOUNT): Promise<string> {
  const { headers = {}, form, json } = request;
  const url = new URL(request.url);
  const connections = createConnections();
  try {
    const body = form === undefined ? json && JSON.stringify(json) : new URLSearchParams(form).toString();
    const type = form === undefined ? "application/json" : "application/x-www-form-urlencoded";
    const response = await exchange({
      url,
      method: body === undefined ? "GET" : "POST",
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": type }), ...headers },
      ...(body === undefined ? {} : { body }),
      connections,
      deadlines: DEADLINES,
    });
    const text = await responseText(response, ANSWER);
    const { statusCode: status = 0 } = response;
    if (status >= 200 && status < 300) return text;
    const retryable = status === 429 || status >= 500;
    throw new SignInError(
      `${subject} was refused by ${url.host} (${status}): ${reasonIn(text, redactorOf(request))}.`,
      { retryable },
    );
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    throw new SignInError(`${subject} cannot be used now: ${url.host} ${error.message}.`, {
      retryable: true,
      cause: error,
    });
  } finally {
    connections.close();
  }
}

/**
 * A token in the answer of an endpoint of OAuth (RFC 6749, 5.1).
 * @throws SignInError
 */
export function readAccessToken(text: string, nowMs: number, subject = ACCOUNT): AccessToken {
  const { access_token: token, expires_in: expiresIn } = parseObject(text);
  if (typeof token !== "string" || !isToken(token)) throw noToken(subject);
  return { value: new Secret(token), expiresAtMs: nowMs + lifetimeMsOf(expiresIn) };
}

/** It becomes part of a header. */
export function isToken(text: string): boolean {
  return text.length <= 16_384 && /^[\x21-\x7e]+$/.test(text);
}

export function noToken(subject = ACCOUNT): SignInError {
  return new SignInError(`${subject} cannot be used: there was no token in the answer.`, { retryable: true });
}

/** The members of a JSON object; none where the text is no such object. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Members of a form that are no secret: all others may be. */
const NO_SECRETS: ReadonlySet<string> = new Set([
  "audience",
  "client_id",
  "grant_type",
  "requested_token_type",
  "scope",
  "subject_token_type",
]);

/** Takes out of an answer what it repeats of the request. */
function redactorOf({ headers = {}, form = {} }: TokenRequest): (text: string) => string {
  const sent = Object.entries(form).flatMap(([name, value]) => (NO_SECRETS.has(name) ? [] : [value]));
  const inHeaders = Object.values(headers).map((value) => value.replace(/^Bearer /, ""));
  return createRedactor([...sent, ...inHeaders].map((value) => new Secret(value)));
}

/** In OAuth's words (RFC 6749, 5.2), in those of Google's other APIs, or as it came; without secrets, and then cut. */
function reasonIn(text: string, redact: (text: string) => string): string {
  const { error, error_description: description } = parseObject(text);
  const words =
    typeof error === "object" && error !== null && "message" in error
      ? [error.message]
      : error === undefined
        ? [text]
        : [error, description];
  const said = words.filter((word) => typeof word === "string" && word !== "").join(", ");
  const line = redact(said).replaceAll(/\s+/g, " ").trim().replace(/\.+$/, "");
  return line === "" ? "no reason given" : line.slice(0, MAX_REASON);
}
