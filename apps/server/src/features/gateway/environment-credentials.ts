import type { CredentialLease, Credentials } from "../../gateway-types.ts";
import type { ProviderConfig } from "../../provider-config.ts";
import { credentialHeaders } from "./credential-headers.ts";

/** One key of each provider that has come with the configuration: for a server of one turn it has to do. */
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
  const { kind, key = config.keys?.[0] } = config;
  const credentialId = `${config.name}-environment`;
  if (key === undefined) return { credentialId, headers: () => ({}), report: () => {} };
  return { credentialId, headers: () => credentialHeaders(kind, key), report: () => {} };
}
