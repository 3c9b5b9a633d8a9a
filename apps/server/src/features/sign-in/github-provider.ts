import { asProviderError, type Profile, type Provider, ProviderError } from "./provider.ts";
import { type FetchOptions, providerFetch, TIMEOUT_MS } from "./provider-fetch.ts";
import type { ProviderConfig } from "./sign-in-config.ts";

/** GitHub speaks OAuth 2 and no OpenID Connect: who somebody is, its API says. */
export function createGithubProvider(config: ProviderConfig): Provider {
  const { name, label, domains, url, clientId, clientSecret } = config;
  // As it stands in GitHub's own metadata (RFC 8414).
  const issuer = `${url}/login/oauth`;
  const api = url === "https://github.com" ? "https://api.github.com" : `${url}/api/v3`;

  const load = async () => {
    const client = await import("openid-client");
    const server = {
      issuer,
      authorization_endpoint: `${url}/login/oauth/authorize`,
      token_endpoint: `${url}/login/oauth/access_token`,
    };
    const configuration = new client.Configuration(
      server,
      clientId,
      {},
      client.ClientSecretPost(clientSecret.expose()),
    );
    configuration.timeout = TIMEOUT_MS / 1000;
    configuration[client.customFetch] = (address: string, options: FetchOptions) => providerFetch(address, options);
    if (url.startsWith("http:")) client.allowInsecureRequests(configuration);
    return { client, configuration };
  };

  async function ask(path: string, token: string): Promise<unknown> {
    const headers = {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "user-agent": "loom-server",
      "x-github-api-version": "2022-11-28",
    };
    const response = await providerFetch(`${api}${path}`, { headers });
    if (response.status !== 200) throw new ProviderError(`github_api_${response.status}`);
    return response.json();
  }

  return {
    name,
    label,
    domains,
    authorizationUrl: (redirectUri, { state, verifier }) =>
      asProviderError(async () => {
        const { client, configuration } = await load();
        return client.buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope: "read:user user:email",
          state,
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: "S256",
        });
      }),
    profile: (callback, { state, verifier }) =>
      asProviderError(async () => {
        const { client, configuration } = await load();
        const checks = { expectedState: state, pkceCodeVerifier: verifier };
        const { access_token: token } = await client.authorizationCodeGrant(configuration, callback, checks);
        const [user, addresses] = await Promise.all([ask("/user", token), ask("/user/emails", token)]);
        return profileOf(issuer, user, addresses);
      }),
  };
}

function profileOf(issuer: string, user: unknown, addresses: unknown): Profile {
  const { id, login, name } = user as { id?: unknown; login?: unknown; name?: unknown };
  // The number stays; the name may become another one's.
  if (typeof id !== "number" || !Number.isSafeInteger(id)) throw new ProviderError("github_user_without_id");
  if (!Array.isArray(addresses)) throw new ProviderError("github_addresses_are_no_list");
  const primary = (addresses as { email?: unknown; primary?: unknown; verified?: unknown }[]).find(
    (each) => each.primary === true && typeof each.email === "string",
  );
  return {
    issuer,
    subject: String(id),
    email: primary?.email as string | undefined,
    emailVerified: primary?.verified === true,
    displayName: typeof name === "string" && name !== "" ? name : undefined,
    username: typeof login === "string" ? login : undefined,
  };
}
