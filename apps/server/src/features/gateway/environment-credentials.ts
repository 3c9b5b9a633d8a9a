import type { CredentialLease, Credentials } from "../../gateway-types.ts";
import type { ProviderConfig } from "../../provider-config.ts";

/** The one key of each provider that came with the configuration. */
export function environmentCredentials(providers: Readonly<Record<string, ProviderConfig>>): Credentials {
  const leases = new Map<string, CredentialLease>();
  for (const config of Object.values(providers)) leases.set(config.name, leaseOf(config));
  return {
    lease(upstream, { exclude }) {
      const lease = leases.get(upstream);
      return lease === undefined || exclude?.includes(lease.credentialId) === true ? undefined : lease;
    },
    health: (upstream) => ({ available: leases.has(upstream) ? 1 : 0, coolingDown: 0, disabled: 0 }),
  };
}

function leaseOf(config: ProviderConfig): CredentialLease {
  const { kind, key } = config;
  const credentialId = `${config.name}-environment`;
  if (key === undefined) return { credentialId, headers: () => ({}), report: () => {} };
  // The key is taken out of its box here and nowhere else.
  const headers = (): Readonly<Record<string, string>> => {
    if (kind === "anthropic") return { "x-api-key": key.expose() };
    return kind === "gemini" ? { "x-goog-api-key": key.expose() } : { authorization: `Bearer ${key.expose()}` };
  };
  return { credentialId, headers, report: () => {} };
}
