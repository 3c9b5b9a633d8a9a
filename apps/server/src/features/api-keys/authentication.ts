import { timingSafeEqual } from "node:crypto";
import type { UserStanding, Users } from "../../identity-types.ts";
import { type Authenticate, hashToken, type TokenUse } from "../../kit/auth.ts";
import { nodesOfPerson } from "../../kit/charged-nodes.ts";
import { DatabaseUnavailable } from "../../kit/database-error.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { Subject } from "../../kit/subject.ts";
import { RecentChanges } from "../sessions/recent-changes.ts";
import { KeyCache, type KnownKey } from "./key-cache.ts";
import { isWellFormedKey, looksLikeKey } from "./key-text.ts";
import type { KeyStore, StoredKey } from "./store.ts";

/**
 * A key that ended on another server is void within some two seconds, by `followEnds`; should that fail, after at most
 * 5 s; one that ended here, at once.
 */
const RECHECK_MS = 4_000;
/** While the database cannot be reached, who was known so short a time ago is let in: a restart of it stops nobody. */
const GRACE_MS = 60_000;
/** Then it is asked so often, and not by every request. */
const AWAY_MS = 1_000;
/** Changes that may concern any organization. */
const ORGANIZATIONS = "organizations";

export type KeyAuthentication = {
  readonly authenticate: Authenticate;
  forget(hash: Uint8Array): void;
  /** Something about the user, or an organization of his, is other than before; `""`: about anybody. */
  forgetUser(userId: string): void;
};

export type AuthenticationOptions = {
  readonly store: KeyStore;
  readonly users: Pick<Users, "standing">;
  /** Whether there is such an organization, and nobody has deleted it. */
  readonly isOrganization: (id: string) => Promise<boolean>;
  /** Milliseconds; the second does not jump. */
  readonly wall: () => number;
  readonly monotonic: () => number;
  readonly onUse: (id: string, at: number, from: Exclude<TokenUse, "before"> | undefined) => void;
};

/** Knows keys by their hashes, and remembers for a few seconds what the database said about them. */
export function createAuthentication(options: AuthenticationOptions): KeyAuthentication {
  const { store, users, isOrganization, wall, monotonic } = options;
  const cache = new KeyCache();
  const changes = new RecentChanges();
  let awayUntil = Number.NEGATIVE_INFINITY;

  function admit(known: KnownKey, hash: Buffer, from: TokenUse | undefined): Subject | undefined {
    const at = wall();
    if (at >= known.expiresAt || !timingSafeEqual(hash, known.hash)) return undefined;
    if (from !== "before") options.onUse(known.id, at, from);
    return known.subject;
  }

  async function subjectOf(key: StoredKey): Promise<KnownKey["subject"] | undefined> {
    const { owner } = key;
    if (owner.type === "organization") return (await isOrganization(owner.id)) ? organizationKey(key) : undefined;
    const standing = await users.standing(owner.id);
    return standing && userByKey(key, standing);
  }

  async function ask(hash: Buffer, name: string, from: TokenUse | undefined): Promise<Subject | undefined> {
    const mark = changes.mark;
    try {
      const checkedAt = monotonic();
      const stored = await store.byHash(hash);
      const subject = stored === undefined || stored.revokedAt !== null ? undefined : await subjectOf(stored);
      if (stored === undefined || subject === undefined) {
        cache.delete(name);
        return undefined;
      }
      const about = stored.owner.type === "user" ? stored.owner.id : ORGANIZATIONS;
      if ([name, about].some((each) => changes.hasChangedSince(mark, each))) return ask(hash, name, from);
      const expiresAt = stored.expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(stored.expiresAt);
      const known = { id: stored.id, subject, hash: stored.hash, expiresAt, checkedAt };
      cache.set(name, known);
      return admit(known, hash, from);
    } catch (error) {
      // What has ended or changed meanwhile is not in the cache any more.
      const known = cache.get(name);
      if (!(error instanceof DatabaseUnavailable) || !isWithinGrace(known)) return unavailable(error);
      awayUntil = monotonic() + AWAY_MS;
      return admit(known, hash, from);
    }
  }

  function isWithinGrace(known: KnownKey | undefined): known is KnownKey {
    return known !== undefined && monotonic() - known.checkedAt < GRACE_MS;
  }

  return {
    authenticate(token, from) {
      if (!looksLikeKey(token)) return undefined;
      const hash = hashToken(token);
      const name = nameOf(hash);
      const known = cache.get(name);
      if (known !== undefined) {
        const now = monotonic();
        if (now - known.checkedAt < RECHECK_MS) return admit(known, hash, from);
        if (now < awayUntil && isWithinGrace(known)) return admit(known, hash, from);
      }
      return isWellFormedKey(token) ? ask(hash, name, from) : undefined;
    },
    forget(hash) {
      const name = nameOf(hash);
      changes.add(name);
      cache.delete(name);
    },
    forgetUser(userId) {
      if (userId === "") {
        changes.addAll();
        cache.clear();
        return;
      }
      changes.add(userId);
      changes.add(ORGANIZATIONS);
      cache.deleteOf(userId);
    },
  };
}

function nameOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("latin1");
}

function organizationKey({ id, name, scopes, owner }: StoredKey): KnownKey["subject"] {
  const nodes = [
    { kind: "api_key", id },
    { kind: "organization", id: owner.id },
  ];
  return { type: "organization_key", id, name, organization: owner.id, scopes, nodes };
}

function userByKey({ id, scopes, owner, strong }: StoredKey, standing: UserStanding): KnownKey["subject"] {
  const { username, globalRoles, organizations, teams, personalOrganization, hasSecondFactor } = standing;
  const person = {
    id: owner.id,
    organizations,
    teams,
    ...(strong && hasSecondFactor === true ? ({ secondFactor: true } as const) : {}),
  };
  return {
    ...person,
    type: "user",
    name: username,
    via: { type: "key", id },
    scopes,
    globalRoles,
    nodes: [{ kind: "api_key", id }, ...nodesOfPerson(person, personalOrganization)],
  };
}

/** Whoever cannot be checked is not let in. */
function unavailable(cause: unknown): never {
  const detail = "The Loom server cannot read its database, so it cannot check this key: try again.";
  throw Object.assign(new ProblemError("unavailable", detail, { retryable: true, retryAfterMs: 1_000 }), { cause });
}
