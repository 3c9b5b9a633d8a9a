import type { GoogleCredential } from "../../../google-credential.ts";
import type { AccessToken, TokenSource } from "../../credentials/token-source.ts";
import { federatedToken } from "./federated-token.ts";
import { impersonate } from "./impersonation.ts";
import { serviceAccountAssertion } from "./service-account-assertion.ts";
import { askForToken, readAccessToken, SignInError } from "./token-endpoint.ts";

/** What tokens are for: all of Google Cloud, as far as the account itself may go. */
export const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

const JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token";

/** Tokens of Google Cloud for a credential: one request (two, three) for each token that is asked for. */
export function googleSignIn(credential: GoogleCredential, now: () => number = Date.now): TokenSource {
  const about = (error: unknown): unknown =>
    error instanceof SignInError && "file" in credential ? error.about(credential.file) : error;
  return {
    token: () =>
      tokenFor(credential, now).catch((error: unknown) => {
        throw about(error);
      }),
  };
}

/** @throws SignInError */
async function tokenFor(credential: GoogleCredential, now: () => number): Promise<AccessToken> {
  switch (credential.type) {
    case "service_account": {
      const { tokenUrl } = credential;
      const assertion = serviceAccountAssertion(credential, { scope: SCOPE, nowMs: now() });
      const form = { grant_type: JWT_GRANT, assertion };
      return readAccessToken(await askForToken({ url: tokenUrl, form }), now());
    }
    case "authorized_user": {
      const { tokenUrl, clientId, clientSecret, refreshToken } = credential;
      const form = {
        grant_type: "refresh_token",
        client_id: clientId,
        client_secret: clientSecret.expose(),
        refresh_token: refreshToken.expose(),
      };
      return readAccessToken(await askForToken({ url: tokenUrl, form }), now());
    }
    case "metadata": {
      const url = `http://${credential.host}${METADATA_PATH}?scopes=${encodeURIComponent(SCOPE)}`;
      const text = await askForToken({ url, headers: { "metadata-flavor": "Google" } }, MACHINE);
      return readAccessToken(text, now(), MACHINE);
    }
    case "external_account": {
      const token = await federatedToken(credential, { scope: SCOPE, now });
      const { impersonationUrl: url, impersonationSeconds: seconds } = credential;
      return url === undefined ? token : impersonate(token, { url, seconds, scope: SCOPE });
    }
    case "impersonated_service_account": {
      const token = await tokenFor(credential.by, now);
      return impersonate(token, { url: credential.impersonationUrl, scope: SCOPE });
    }
  }
}

const MACHINE = "The account of this machine";
