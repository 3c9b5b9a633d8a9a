import { createConnections, exchange } from "../http/exchange.ts";
import { responseText } from "../http/response-text.ts";
import { apiError, errorFromResponse, notLoom } from "./loom-api-error.ts";

/** RFC 8628, 3.2; seconds. */
export type DeviceAuthorization = {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly verificationUri: string;
  readonly verificationUriComplete: string;
  readonly expiresIn: number;
  readonly interval: number;
};

/** A token, or why there is none (RFC 6749, 5.2; RFC 8628, 3.5). */
export type TokenAnswer =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly error: string; readonly description: string };

export type OAuthClient = {
  /** @throws LoomApiError */
  requestDevice(signal?: AbortSignal): Promise<DeviceAuthorization>;
  /** Asks once. @throws LoomApiError */
  deviceToken(deviceCode: string, signal?: AbortSignal): Promise<TokenAnswer>;
  /** @throws LoomApiError */
  codeToken(
    grant: { readonly code: string; readonly verifier: string; readonly redirectUri: string },
    signal?: AbortSignal,
  ): Promise<TokenAnswer>;
  /** Where the browser goes. */
  authorizationUrl(parameters: Readonly<Record<string, string>>): URL;
  close(): void;
};

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 64 * 1024;

/** Loom's own way to its server for a program that has no token yet. */
export function createOAuthClient(options: {
  readonly baseUrl: string;
  readonly clientId: string;
  readonly userAgent: string;
}): OAuthClient {
  const base = new URL(options.baseUrl);
  const server = `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
  const connections = createConnections();

  async function post(path: string, form: Readonly<Record<string, string>>, signal?: AbortSignal) {
    try {
      const response = await exchange({
        url: new URL(`${server}${path}`),
        method: "POST",
        headers: {
          accept: "application/json",
          "content-type": "application/x-www-form-urlencoded",
          "user-agent": options.userAgent,
        },
        body: new URLSearchParams({ client_id: options.clientId, ...form }).toString(),
        connections,
        deadlines: { connectMs: TIMEOUT_MS, headersMs: TIMEOUT_MS },
        signal,
      });
      const limits = { maxBytes: MAX_BYTES, larger: "fail", gapMs: TIMEOUT_MS, totalMs: TIMEOUT_MS, signal } as const;
      const body = await responseText(response, limits);
      const status = response.statusCode ?? 0;
      const value = objectOf(body);
      if (value !== undefined && (status === 200 || (status === 400 && typeof value.error === "string"))) return value;
      throw errorFromResponse({ status, contentType: response.headers["content-type"] ?? "", body }, server);
    } catch (error) {
      throw apiError(error, server);
    }
  }

  async function token(form: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<TokenAnswer> {
    const {
      access_token: accessToken,
      error,
      error_description: description,
    } = await post("/oauth/token", form, signal);
    if (typeof accessToken === "string") return { ok: true, token: accessToken };
    if (typeof error === "string") return { ok: false, error, description: String(description ?? "") };
    throw notLoom(server, "answered with something that is no token");
  }

  return {
    async requestDevice(signal) {
      const answer = await post("/oauth/device_authorization", { scope: "account" }, signal);
      const { device_code: deviceCode, user_code: userCode, verification_uri: verificationUri } = answer;
      if (typeof deviceCode !== "string" || typeof userCode !== "string" || typeof verificationUri !== "string") {
        throw notLoom(server, "answered with something that is no device code");
      }
      return {
        deviceCode,
        userCode,
        verificationUri,
        verificationUriComplete: String(answer.verification_uri_complete ?? verificationUri),
        expiresIn: Number(answer.expires_in) || 600,
        interval: Number(answer.interval) || 5,
      };
    },
    deviceToken: (deviceCode, signal) =>
      token({ grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: deviceCode }, signal),
    codeToken: ({ code, verifier, redirectUri }, signal) =>
      token({ grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: redirectUri }, signal),
    authorizationUrl(parameters) {
      const url = new URL(`${server}/oauth/authorize`);
      for (const [name, value] of Object.entries({ client_id: options.clientId, ...parameters }))
        url.searchParams.set(name, value);
      return url;
    },
    close: () => connections.close(),
  };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
