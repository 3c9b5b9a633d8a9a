import { sign } from "node:crypto";
import type { ServiceAccount } from "../../../google-credential.ts";
import { SignInError } from "./token-endpoint.ts";

/** As long as Google allows. */
const LIFETIME_SECONDS = 3_600;

/**
 * What a service account shows for a token (RFC 7523), signed with RS256:
 * https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
 * @throws SignInError where the key in the file is none.
 */
export function serviceAccountAssertion(
  { email, privateKey, keyId, tokenUrl, file }: ServiceAccount,
  { scope, nowMs }: { readonly scope: string; readonly nowMs: number },
): string {
  const issuedAt = Math.floor(nowMs / 1000);
  const header = { alg: "RS256", typ: "JWT", ...(keyId === undefined ? {} : { kid: keyId }) };
  const claims = { iss: email, scope, aud: tokenUrl, iat: issuedAt, exp: issuedAt + LIFETIME_SECONDS };
  const text = `${encode(header)}.${encode(claims)}`;
  try {
    return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey.expose()).toString("base64url")}`;
  } catch {
    // The library's own message may quote the key.
    throw new SignInError(`${file} cannot be used to sign in to Google: its field private_key is no RSA key.`, {
      retryable: false,
    });
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
