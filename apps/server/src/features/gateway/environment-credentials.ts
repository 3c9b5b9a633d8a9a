import type { Secret } from "@loom/config";
import type { CredentialLease, Credentials } from "../../gateway-types.ts";
import type { GoogleCredential } from "../../google-credential.ts";
import type { ProviderConfig } from "../../provider-config.ts";
import type { TokenSource } from "../credentials/token-source.ts";
import { credentialHeaders } from "./credential-headers.ts";
import { KeptToken } from "./google/kept-token.ts";

/** Tells the redactor what this owner keeps secret from now on. */
type Conceal = (owner: string, secrets: readonly Secret[]) => void;

/**
 * One key of each provider that has come with the configuration: for a server of one turn it has to do. `conceal` hears
 * of the tokens that are fetched for them, before they are used.
 */
export function environmentCredentials(
  providers: Readonly<Record<string, ProviderConfig>>,
  conceal: Conceal,
): Credentials {
  const leases = new Map<string, CredentialLease>();
  for (const config of Object.values(providers)) leases.set(config.name, leaseOf(config, conceal));
  return {
    lease(upstream, { exclude }) {
      const lease = leases.get(upstream);
      return lease === undefined || exclude?.includes(lease.credentialId) === true ? undefined : lease;
    },
    health: (upstream) => ({ available: leases.has(upstream) ? 1 : 0, coolingDown: 0, disabled: 0 }),
  };
}

function leaseOf(config: ProviderConfig, conceal: Conceal): CredentialLease {
  const { kind, key = config.keys?.[0], vertex } = config;
  const credentialId = `${config.name}-environment`;
  if (vertex?.credential !== undefined) return googleLease(credentialId, vertex.credential, conceal);
  if (key === undefined) return { credentialId, headers: () => ({}), report: () => {} };
  return { credentialId, headers: () => credentialHeaders(kind, key), report: () => {} };
}

/** One token for all requests, as long as it is good. */
function googleLease(credentialId: string, credential: GoogleCredential, conceal: Conceal): CredentialLease {
  const kept = new KeptToken(signIn(credential, (token) => conceal(credentialId, [token])));
  const project = "quotaProject" in credential ? credential.quotaProject : undefined;
  const account: Readonly<Record<string, string>> = project === undefined ? {} : { "x-goog-user-project": project };
  let used: Secret | undefined;
  const headersWith = (token: Secret): Readonly<Record<string, string>> => {
    used = token;
    return { authorization: `Bearer ${token.expose()}`, ...account };
  };
  return {
    credentialId,
    headers() {
      const token = kept.current();
      return token instanceof Promise ? token.then(headersWith) : headersWith(token);
    },
    report(outcome) {
      if (outcome.type === "failed" && outcome.failure.status === 401) kept.forget(used);
    },
  };
}

/** Who does not use Vertex AI does not load how to sign in there. */
function signIn(credential: GoogleCredential, onToken: (token: Secret) => void): TokenSource {
  return {
    async token() {
      const { googleSignIn } = await import("./google/google-sign-in.ts");
      const token = await googleSignIn(credential).token();
      onToken(token.value);
      return token;
    },
  };
}
