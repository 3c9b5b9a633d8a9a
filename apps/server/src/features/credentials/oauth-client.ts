import type { IncomingMessage } from "node:http";
import { createConnections, ExchangeError, exchange } from "@loom/api/http";
import { Secret } from "@loom/config";
import type { OAuthContent } from "./secret-content.ts";
import { isPublicEndpoint, NOT_PUBLIC, publicLookup } from "./token-endpoint.ts";
import { lifetimeMsOf } from "./token-lifetime.ts";
import { TokenRefused } from "./token-refused.ts";

export type TokenAnswer = {
  readonly accessToken: Secret;
  readonly expiresAtMs: number;
  /** Where the server has replaced it; the old one may be void by now. */
  readonly refreshToken: Secret | undefined;
};

/** The token endpoint did not help this time. `message` is a whole sentence. */
export class TokenEndpointError extends Error {
  override readonly name = "TokenEndpointError";
}

const DEADLINES = { connectMs: 10_000, headersMs: 20_000 };
const BODY_MS = 20_000;
const MAX_BODY_BYTES = 64 * 1024;

/** Errors after which asking again with the same refresh token is no use (RFC 6749, section 5.2). */
const FINAL = new Set(["invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type"]);

/**
 * Asks for a new access token (RFC 6749, section 6). Follows no redirect. What the endpoint says about a failure is not
 * repeated, but for the names of errors that the standard knows.
 * @throws TokenRefused, TokenEndpointError
 */
export async function refreshAccessToken(
  content: OAuthContent,
  { now, signal }: { readonly now: () => number; readonly signal?: AbortSignal },
): Promise<TokenAnswer> {
  const url = new URL(content.tokenEndpoint);
  if (!isPublicEndpoint(url)) throw new TokenEndpointError(`The token endpoint ${url.host} ${NOT_PUBLIC}.`);
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: content.refreshToken.expose(),
    client_id: content.clientId,
    ...(content.clientSecret === undefined ? {} : { client_secret: content.clientSecret.expose() }),
  });
  const connections = createConnections();
  try {
    const asked = now();
    const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
    const response = await exchange({
      url,
      method: "POST",
      headers,
      body: form.toString(),
      connections,
      deadlines: DEADLINES,
      signal,
      lookup: url.protocol === "https:" ? publicLookup : undefined,
    });
    const answer = parse(await readBody(response));
    const status = response.statusCode ?? 0;
    if (status !== 200) throw refusal(url.host, status, answer.error);
    return tokens(answer, url.host, asked);
  } catch (error) {
    if (error instanceof ExchangeError)
      throw new TokenEndpointError(`The token endpoint ${url.host} ${error.message}.`);
    throw error;
  } finally {
    connections.close();
  }
}

function tokens(answer: Readonly<Record<string, unknown>>, host: string, asked: number): TokenAnswer {
  const { access_token: access, refresh_token: refresh } = answer;
  if (!isToken(access)) throw new TokenEndpointError(`The token endpoint ${host} gave no access token.`);
  return {
    accessToken: new Secret(access),
    expiresAtMs: asked + lifetimeMsOf(answer.expires_in),
    refreshToken: isToken(refresh) ? new Secret(refresh) : undefined,
  };
}

function refusal(host: string, status: number, error: unknown): Error {
  if (status < 500 && status !== 429 && typeof error === "string" && FINAL.has(error)) {
    return new TokenRefused(`The token endpoint ${host} refused the refresh token (${error}): sign in again.`);
  }
  return new TokenEndpointError(`The token endpoint ${host} answered with HTTP ${status}.`);
}

/** What can stand in a header. */
function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,16384}$/.test(value);
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const timer = setTimeout(() => response.destroy(new Error("too slow")), BODY_MS);
  try {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MAX_BODY_BYTES) break;
      parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
  } catch {
    throw new TokenEndpointError("The token endpoint's answer broke off.");
  } finally {
    clearTimeout(timer);
  }
}
