import { Secret } from "@loom/config";
import type { AccessToken } from "../../credentials/token-source.ts";
import { askForToken, isToken, noToken, parseObject } from "./token-endpoint.ts";

/**
 * A token of a service account for whoever may act as it:
 * https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
 * @throws SignInError
 */
export async function impersonate(
  by: AccessToken,
  options: {
    readonly url: string;
    readonly scope: string;
    /** How long the token is to be good; absent: an hour. */
    readonly seconds?: number | undefined;
  },
): Promise<AccessToken> {
  const { url, scope, seconds = 3_600 } = options;
  const headers = { authorization: `Bearer ${by.value.expose()}` };
  const text = await askForToken({ url, headers, json: { scope: [scope], lifetime: `${seconds}s` } });
  const { accessToken, expireTime } = parseObject(text);
  const expiresAtMs = typeof expireTime === "string" ? Date.parse(expireTime) : Number.NaN;
  if (typeof accessToken !== "string" || !isToken(accessToken) || Number.isNaN(expiresAtMs)) throw noToken();
  return { value: new Secret(accessToken), expiresAtMs };
}
