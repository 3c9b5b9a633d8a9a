import type { ClientAuth, Configuration, ServerMetadata } from "openid-client";
import { asProviderError, type Profile, type Provider, ProviderError } from "./provider.ts";
import { type FetchOptions, providerFetch, requireSafe, TIMEOUT_MS } from "./provider-fetch.ts";
import type { ProviderConfig } from "./sign-in-config.ts";

/** What an issuer says of itself is asked again after so long. */
const DISCOVERY_MS = 3_600_000;

/** Claims that say who somebody is (OpenID Connect Core, 5.1). */
type Claims = {
  readonly sub: string;
  readonly email?: unknown;
  readonly email_verified?: unknown;
  readonly name?: unknown;
  readonly preferred_username?: unknown;
};

/**
 * Any issuer of OpenID Connect, by what it says of itself (Discovery 1.0). `openid-client` checks the answer: state,
 * issuer of the response (RFC 9207), and of the ID token signature, algorithm, key, issuer, audience, times and nonce.
 */
export function createOpenIdProvider(config: ProviderConfig, monotonic: () => number): Provider {
  const { name, label, domains } = config;
  let known: { readonly discovery: Promise<Configuration>; readonly at: number } | undefined;

  function discovered(): Promise<Configuration> {
    if (known === undefined || monotonic() - known.at > DISCOVERY_MS) {
      const discovery = discover(config);
      known = { discovery, at: monotonic() };
      discovery.catch(() => {
        if (known?.discovery === discovery) known = undefined;
      });
    }
    return known.discovery;
  }

  return {
    name,
    label,
    domains,
    authorizationUrl: (redirectUri, { state, nonce, verifier }) =>
      asProviderError(async () => {
        const [client, issuer] = await Promise.all([import("openid-client"), discovered()]);
        return client.buildAuthorizationUrl(issuer, {
          redirect_uri: redirectUri,
          scope: "openid email profile",
          state,
          nonce,
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: "S256",
        });
      }),
    profile: (callback, { state, nonce, verifier }) =>
      asProviderError(async () => {
        const [client, issuer] = await Promise.all([import("openid-client"), discovered()]);
        const tokens = await client.authorizationCodeGrant(issuer, callback, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        });
        const claims = tokens.claims() as Claims | undefined;
        if (claims === undefined) throw new ProviderError("no_id_token");
        const metadata = issuer.serverMetadata();
        if (claims.email !== undefined || metadata.userinfo_endpoint === undefined) {
          return profileOf(metadata.issuer, claims);
        }
        // Many put the address only there (Core, 5.4); it has to be about the same person.
        const more = await client.fetchUserInfo(issuer, tokens.access_token, claims.sub);
        return profileOf(metadata.issuer, { ...more, sub: claims.sub });
      }),
  };
}

async function discover({ url, clientId, clientSecret }: ProviderConfig): Promise<Configuration> {
  const client = await import("openid-client");
  const secret = clientSecret.expose();
  const [basic, post] = [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)];
  const authentication: ClientAuth = (server, ...rest) => (takesBasic(server) ? basic : post)(server, ...rest);
  const found = await client.discovery(new URL(url), clientId, {}, authentication, {
    // The signature counts, also where the token came straight from the issuer.
    execute: [client.enableNonRepudiationChecks, ...(url.startsWith("http:") ? [client.allowInsecureRequests] : [])],
    timeout: TIMEOUT_MS / 1000,
    [client.customFetch]: (address: string, options: FetchOptions) => providerFetch(address, options),
  });
  // The other endpoints are asked by us, and `providerFetch` looks at each address; this one is the browser's.
  const { authorization_endpoint: endpoint } = found.serverMetadata();
  if (endpoint === undefined) throw new ProviderError("no_authorization_endpoint");
  requireSafe(new URL(endpoint));
  return found;
}

/** Core, 9: the default, where the issuer does not say. */
function takesBasic({
  token_endpoint_auth_methods_supported: methods,
}: Pick<ServerMetadata, "token_endpoint_auth_methods_supported">): boolean {
  return methods === undefined || methods.includes("client_secret_basic");
}

function profileOf(issuer: string, claims: Claims): Profile {
  const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
  return {
    issuer,
    subject: claims.sub,
    email: text(claims.email),
    emailVerified: claims.email_verified === true,
    displayName: text(claims.name),
    username: text(claims.preferred_username)?.split("@")[0],
  };
}
