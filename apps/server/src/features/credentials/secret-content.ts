import { hash } from "node:crypto";
import type { CredentialSecret } from "@loom/api";
import { Secret } from "@loom/config";

/** What is sealed in a stored credential. */
export type SecretContent =
  | { readonly type: "api_key"; readonly key: Secret }
  | {
      readonly type: "oauth";
      readonly refreshToken: Secret;
      readonly accessToken: Secret | undefined;
      /** Unix milliseconds. */
      readonly expiresAtMs: number | undefined;
      readonly tokenEndpoint: string;
      readonly clientId: string;
      readonly clientSecret: Secret | undefined;
    };

export type OAuthContent = Extract<SecretContent, { type: "oauth" }>;

/** Shorter ones could be found out by trying. */
const MIN_FINGERPRINTED = 20;
const FINGERPRINT_DIGITS = 12;

export function contentOf(secret: CredentialSecret): SecretContent {
  if (secret.type === "api_key") return { type: "api_key", key: new Secret(secret.key) };
  const { refreshToken, accessToken, expiresAt, tokenEndpoint, clientId, clientSecret } = secret;
  return {
    type: "oauth",
    refreshToken: new Secret(refreshToken),
    accessToken: accessToken === undefined ? undefined : new Secret(accessToken),
    expiresAtMs: expiresAt === undefined ? undefined : Date.parse(expiresAt),
    tokenEndpoint,
    clientId,
    clientSecret: clientSecret === undefined ? undefined : new Secret(clientSecret),
  };
}

/** The text that is sealed. It goes into the encryption and nowhere else. */
export function textOfContent(content: SecretContent): string {
  if (content.type === "api_key") return JSON.stringify({ type: "api_key", key: content.key.expose() });
  const { refreshToken, accessToken, expiresAtMs, tokenEndpoint, clientId, clientSecret } = content;
  const secret: CredentialSecret = {
    type: "oauth",
    refreshToken: refreshToken.expose(),
    tokenEndpoint,
    clientId,
    ...(accessToken === undefined ? {} : { accessToken: accessToken.expose() }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }),
    ...(clientSecret === undefined ? {} : { clientSecret: clientSecret.expose() }),
  };
  return JSON.stringify(secret);
}

/** @param text was sealed by us: it is what `textOfContent` gave. */
export function contentFromText(text: string): SecretContent {
  return contentOf(JSON.parse(text) as CredentialSecret);
}

/** All that must not be seen of it. */
export function secretsIn(content: SecretContent): readonly Secret[] {
  if (content.type === "api_key") return [content.key];
  return [content.refreshToken, content.accessToken, content.clientSecret].flatMap((secret) => secret ?? []);
}

/** Lets people compare a key with one that they have; `null` where that would give away too much. */
export function fingerprintOf(content: SecretContent): string | null {
  const value = (content.type === "api_key" ? content.key : content.refreshToken).expose();
  return value.length < MIN_FINGERPRINTED ? null : hash("sha256", value, "hex").slice(0, FINGERPRINT_DIGITS);
}
