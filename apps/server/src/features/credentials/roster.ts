import type { CredentialInfo } from "@loom/api";
import type { Secret } from "@loom/config";
import type { ProviderConfig } from "../../provider-config.ts";
import { environmentCredentials } from "../gateway/environment-credentials.ts";
import { credentialInfoOfEnvironment, storedInfo } from "./credential-info.ts";
import type { CredentialPool } from "./credential-pool.ts";
import type { EnvironmentMember, EnvironmentMembers } from "./environment-members.ts";
import type { LiveProviders } from "./live-providers.ts";
import { GOOD_STANDING, PoolMember } from "./pool-member.ts";
import type { StoredMember, StoredMembers } from "./stored-members.ts";

export type RosterOptions = {
  readonly pool: CredentialPool;
  readonly live: LiveProviders;
  readonly stored: StoredMembers;
  /** One for each provider that came with the configuration. */
  readonly environment: readonly EnvironmentMembers[];
  readonly conceal: (owner: string, secrets: readonly Secret[]) => void;
};

export type Found =
  | { readonly source: "stored"; readonly stored: StoredMember; readonly member: PoolMember }
  | { readonly source: "environment"; readonly found: EnvironmentMember; readonly member: PoolMember };

/** All credentials of the server, wherever they are from. */
export class Roster {
  readonly #options: RosterOptions;
  /** Of servers that want no key, as long as there is none. */
  readonly #keyless = new Map<string, PoolMember>();
  #withStored: ReadonlySet<string> = new Set();

  constructor(options: RosterOptions) {
    this.#options = options;
    this.#settle();
  }

  /** Makes everything like the database and the key files. @throws DatabaseError */
  async follow(): Promise<void> {
    const { stored, environment } = this.#options;
    for (const each of environment) await each.follow();
    try {
      await stored.follow();
    } finally {
      this.#settle();
    }
  }

  find(idOrLabel: string): Found | undefined {
    const { stored, environment } = this.#options;
    // Those of the environment have no label beside their id, and an id comes before a label.
    const found = environment.flatMap((each) => each.all).find(({ member }) => member.id === idOrLabel);
    if (found !== undefined) return { source: "environment", found, member: found.member };
    const kept = stored.find(idOrLabel);
    return kept && { source: "stored", stored: kept, member: kept.member };
  }

  list(): CredentialInfo[] {
    const { pool, stored, environment } = this.#options;
    return [
      ...environment
        .flatMap((each) => each.all)
        .map((each) => credentialInfoOfEnvironment(each, pool.stateOf(each.member))),
      ...stored.all.map(({ row, member, oauth }) =>
        storedInfo({ ...row, expiresAt: oauth === undefined ? row.expiresAt : oauth.expiresAt }, pool.stateOf(member)),
      ),
    ];
  }

  /** A provider is set up while there is a credential for it; one without keys is asked without one. */
  #settle(): void {
    const { pool, live, stored, environment, conceal } = this.#options;
    const withStored = new Set(stored.all.map(({ row }) => row.provider));
    for (const name of withStored.union(this.#withStored)) {
      live.set(name, { hasCredentials: withStored.has(name) });
    }
    this.#withStored = withStored;
    for (const [index, config] of live.given.entries()) {
      const { name: upstream } = config;
      // Where a file has no keys any more, nobody meant that it is to be asked without one.
      const isKeyless = environment[index]?.all.length === 0 && config.keyFiles === undefined;
      const isWanted = isKeyless && !withStored.has(upstream);
      const known = this.#keyless.get(upstream);
      if (isWanted && known === undefined) {
        const member = keylessMember(config, conceal);
        if (member === undefined) continue;
        this.#keyless.set(upstream, member);
        pool.add(member, GOOD_STANDING);
      } else if (!isWanted && known !== undefined) {
        this.#keyless.delete(upstream);
        pool.remove(known);
      }
    }
  }
}

/** Asked as the server of one turn asks it: without a credential, or with one that is no key. */
function keylessMember(config: ProviderConfig, conceal: RosterOptions["conceal"]): PoolMember | undefined {
  const { name: upstream } = config;
  const lease = environmentCredentials({ [upstream]: config }, conceal).lease(upstream, {});
  if (lease === undefined) return undefined;
  const source = { headers: () => lease.headers(), refused: () => false, report: lease.report };
  return new PoolMember({ id: lease.credentialId, upstream, weight: 1, source, keyless: true });
}
