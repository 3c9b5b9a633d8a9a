import { sign } from "node:crypto";
import type { ServiceAccount } from "../../../google-credential.ts";

/** As long as Google allows. */
const LIFETIME_SECONDS = 3_600;

/**
 * What a service account shows for a token (RFC 7523), signed with RS256:
 * https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
 */
export function serviceAccountAssertion(
  { email, privateKey, keyId, tokenUrl }: ServiceAccount,
  { scope, nowMs }: { readonly scope: string; readonly nowMs: number },
): string {
  const issuedAt = Math.floor(nowMs / 1000);
  const header = { alg: "RS256", typ: "JWT", ...(keyId === undefined ? {} : { kid: keyId }) };
  const claims = { iss: email, scope, aud: tokenUrl, iat: issuedAt, exp: issuedAt + LIFETIME_SECONDS };
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey.expose()).toString("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
