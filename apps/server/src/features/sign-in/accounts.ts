import { randomUUIDv7 } from "node:crypto";
import { type NewUser, SignInRefused, type User, type Users } from "../../identity-types.ts";
import type { Audit, RequestOrigin } from "../../kit/audit.ts";
import { PeopleError } from "../people/people-error.ts";
import { type Domains, domainOf } from "./domains.ts";
import type { IdentityStore } from "./identity-store.ts";
import type { Profile, Provider } from "./provider.ts";

export type AccountOptions = {
  readonly users: Users;
  readonly identities: IdentityStore;
  readonly domains: Domains;
  readonly signups: "open" | "closed";
  /** What a provider is called, by its name; nothing for one that is not set up. */
  readonly labelOf: (provider: string) => string | undefined;
  readonly audit: Audit;
  /** Milliseconds. */
  readonly wall: () => number;
};

export type Accounts = {
  /** The user of whoever has proven an address. @throws SignInRefused */
  ofAddress(wish: NewUser, way: string): Promise<User>;
  /** The user of an account at a provider, which becomes his if it was nobody's. @throws SignInRefused */
  ofProfile(profile: Profile, provider: Provider, origin: RequestOrigin): Promise<User>;
};

/** Who somebody is here, whom somebody else has recognised. */
export function createAccounts(options: AccountOptions): Accounts {
  const { users, identities, domains } = options;

  /** @throws SignInRefused where the organization of one of the addresses wants another way. */
  async function requireWay(emails: readonly string[], way: string): Promise<void> {
    for (const email of emails) {
      const rule = await domains.ofAddress(email);
      if (rule === undefined || !rule.forced || rule.provider === way) continue;
      const label = options.labelOf(rule.provider) ?? rule.provider;
      throw new SignInRefused("other_way_required", `Addresses of ${rule.domain} sign in with ${label} only.`);
    }
  }

  async function ofAddress(wish: NewUser, way: string): Promise<User> {
    await requireWay([wish.email], way);
    const known = await users.byEmail(wish.email);
    if (known !== undefined) {
      await requireWay([known.email], way);
      return open(known);
    }
    if (options.signups === "closed") {
      const detail =
        "There is no account for this address, and no new ones are made: ask an administrator of this server.";
      throw new SignInRefused("signups_closed", detail);
    }
    return open(await create(wish));
  }

  async function create(wish: NewUser): Promise<User> {
    try {
      return await users.create(wish);
    } catch (error) {
      if (!(error instanceof PeopleError)) throw error;
      throw new SignInRefused("no_account", `No account could be made: ${error.message}`);
    }
  }

  return {
    ofAddress,
    async ofProfile(profile, provider, origin) {
      const { issuer, subject } = profile;
      const identity = await identities.bySubject(issuer, subject);
      const owner = identity && (await users.byId(identity.userId));
      const now = new Date(options.wall()).toISOString();
      if (identity !== undefined && owner !== undefined) {
        await requireWay([owner.email], provider.name);
        await identities.used(identity.id, profile.email ?? identity.email, now);
        return open(owner);
      }
      // Its user is gone for good.
      if (identity !== undefined) await identities.removeAllOf(identity.userId);
      const email = vouchedFor(profile, provider);
      const { displayName, username } = profile;
      // What an account begins with is nothing that its person has to be told.
      const isFirst = (await users.byEmail(email)) === undefined;
      const user = await ofAddress({ email, displayName, username }, provider.name);
      const added = await identities.add({
        id: `identity-${randomUUIDv7()}`,
        userId: user.id,
        provider: provider.name,
        issuer,
        subject,
        email,
        createdAt: now,
        lastUsedAt: now,
      });
      await options.audit.record({
        event: "identity.linked",
        outcome: "success",
        actor: { type: "user", id: user.id, name: user.username },
        target: { type: "identity", id: added.id, name: provider.name },
        details: { user: user.id, isFirst },
        origin,
      });
      return user;
    },
  };
}

/** The address that the provider says is the person's own, and may say so of. @throws SignInRefused */
function vouchedFor({ email, emailVerified }: Profile, { label, domains }: Provider): string {
  if (email === undefined || !emailVerified) {
    const detail = `${label} does not say that your mail address is your own: verify it there, and try again.`;
    throw new SignInRefused("address_not_verified", detail);
  }
  if (domains.length > 0 && !domains.includes(domainOf(email))) {
    throw new SignInRefused("address_not_allowed", `With ${label}, only addresses of ${domains.join(", ")} sign in.`);
  }
  return email;
}

/** @throws SignInRefused where he may not act. */
function open(user: User): User {
  if (user.deletedAt !== null) {
    const detail = "This account has been deleted. For a while, an administrator of this server can restore it.";
    throw new SignInRefused("account_deleted", detail);
  }
  if (user.disabledAt !== null) {
    throw new SignInRefused("account_disabled", "This account is disabled: ask an administrator of this server.");
  }
  return user;
}
