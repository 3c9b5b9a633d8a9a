import { timingSafeEqual } from "node:crypto";
import type { UserStanding, Users } from "../../identity-types.ts";
import { type Authenticate, hashToken, looksLikeSessionToken, type TokenUse } from "../../kit/auth.ts";
import { nodesOfPerson } from "../../kit/charged-nodes.ts";
import { DatabaseUnavailable } from "../../kit/database-error.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { SessionKind, Subject } from "../../kit/subject.ts";
import { RecentChanges } from "./recent-changes.ts";
import { type KnownSession, SessionCache } from "./session-cache.ts";
import type { SessionStore, StoredSession } from "./store.ts";

/**
 * A session that ended on another server is void within some two seconds, by `followEnds`; should that fail, after at
 * most 5 s; one that ended here, at once.
 */
const RECHECK_MS = 4_000;
/** While the database cannot be reached, who was known so short a time ago is let in: a restart of it stops nobody. */
const GRACE_MS = 60_000;
/** Then it is asked so often, and not by every request. */
const AWAY_MS = 1_000;

export type SessionAuthentication = {
  /** Of the command line and of editors: as bearer token. */
  readonly byBearer: Authenticate;
  /** Of browsers: by their cookie, and in no other way. */
  readonly byCookie: Authenticate;
  /** Of whatever kind, by what it was before: for tickets. */
  bySession(session: StoredSession): Promise<Subject | undefined>;
  forget(hash: Uint8Array): void;
  /** Something about the user is other than before; `""`: about anybody. */
  forgetUser(userId: string): void;
};

export type AuthenticationOptions = {
  readonly store: SessionStore;
  readonly users: Pick<Users, "standing">;
  /** Somebody came with a session of a user who may not act. */
  readonly onRefused: (userId: string) => void;
  /** How long a session lives unused, in milliseconds. */
  readonly idleMs: number;
  /** Milliseconds; the second does not jump. */
  readonly wall: () => number;
  readonly monotonic: () => number;
  readonly onUse: (id: string, at: number) => void;
  /** When it was used last, as far as this server knows and the database not yet. */
  readonly lastUseOf: (id: string) => number | undefined;
};

/** Knows sessions by the hashes of their tokens, and remembers for a few seconds what the database said about them. */
export function createAuthentication(options: AuthenticationOptions): SessionAuthentication {
  const { store, users, idleMs, wall, monotonic } = options;
  const cache = new SessionCache();
  const changes = new RecentChanges();
  let awayUntil = Number.NEGATIVE_INFINITY;

  function isLive({ subject, lastUsedAt, expiresAt }: KnownSession, at: number): boolean {
    if (at >= expiresAt) return false;
    if (at < lastUsedAt + idleMs) return true;
    // The database is told later.
    return at < (options.lastUseOf(subject.via.id) ?? 0) + idleMs;
  }

  function admit(known: KnownSession, hash: Buffer, from: TokenUse | undefined): Subject | undefined {
    const at = wall();
    if (!isLive(known, at) || !timingSafeEqual(hash, known.hash)) return undefined;
    if (from !== "before") options.onUse(known.subject.via.id, at);
    return known.subject;
  }

  async function known(stored: StoredSession, checkedAt: number): Promise<KnownSession | undefined> {
    const [standing, impersonator] = await Promise.all([
      users.standing(stored.userId),
      stored.impersonator === null ? undefined : users.standing(stored.impersonator.id),
    ]);
    if (standing === undefined) {
      options.onRefused(stored.userId);
      return undefined;
    }
    // Who is no system admin any more acts as nobody.
    if (stored.impersonator !== null && impersonator?.globalRoles.includes("system_admin") !== true) return undefined;
    return {
      subject: subjectOf(stored, standing),
      kind: stored.kind,
      hash: stored.hash,
      lastUsedAt: Date.parse(stored.lastUsedAt),
      expiresAt: Date.parse(stored.expiresAt),
      checkedAt,
    };
  }

  async function ask(
    hash: Buffer,
    key: string,
    kinds: Kinds,
    from: TokenUse | undefined,
  ): Promise<Subject | undefined> {
    const mark = changes.mark;
    try {
      const checkedAt = monotonic();
      const stored = await store.byHash(hash);
      const found = stored === undefined || stored.endedAt !== null ? undefined : await known(stored, checkedAt);
      if (found === undefined) {
        cache.delete(key);
        return undefined;
      }
      const { id, impersonator } = found.subject;
      const hasChanged = [key, id, impersonator?.id ?? id].some((each) => changes.hasChangedSince(mark, each));
      if (hasChanged) return ask(hash, key, kinds, from);
      if (!isLive(found, wall())) return undefined;
      cache.set(key, found);
      return fits(found, kinds) ? admit(found, hash, from) : undefined;
    } catch (error) {
      const remembered = cache.get(key);
      if (!(error instanceof DatabaseUnavailable) || !isWithinGrace(remembered)) return unavailable(error);
      awayUntil = monotonic() + AWAY_MS;
      return fits(remembered, kinds) ? admit(remembered, hash, from) : undefined;
    }
  }

  /** What has ended or changed meanwhile is not in the cache any more. */
  function isWithinGrace(remembered: KnownSession | undefined): remembered is KnownSession {
    return remembered !== undefined && monotonic() - remembered.checkedAt < GRACE_MS;
  }

  function by(kinds: Kinds): Authenticate {
    return (token, from) => {
      if (!looksLikeSessionToken(token)) return undefined;
      const hash = hashToken(token);
      const key = keyOf(hash);
      const remembered = cache.get(key);
      if (remembered !== undefined) {
        const isFresh = monotonic() - remembered.checkedAt < RECHECK_MS;
        if (isFresh || (monotonic() < awayUntil && isWithinGrace(remembered))) {
          return fits(remembered, kinds) ? admit(remembered, hash, from) : undefined;
        }
      }
      return ask(hash, key, kinds, from);
    };
  }

  return {
    byBearer: by(["cli", "editor"]),
    byCookie: by(["web"]),
    async bySession(stored) {
      const found = stored.endedAt === null ? await known(stored, monotonic()) : undefined;
      return found !== undefined && isLive(found, wall()) ? found.subject : undefined;
    },
    forget(hash) {
      const key = keyOf(hash);
      changes.add(key);
      cache.delete(key);
    },
    forgetUser(userId) {
      if (userId === "") {
        changes.addAll();
        cache.clear();
      } else {
        changes.add(userId);
        cache.deleteOf(userId);
      }
    },
  };
}

type Kinds = readonly SessionKind[];

function fits(known: KnownSession, kinds: Kinds): boolean {
  return kinds.includes(known.kind);
}

function keyOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("base64");
}

function subjectOf(stored: StoredSession, standing: UserStanding): KnownSession["subject"] {
  const { username, globalRoles, organizations, teams, personalOrganization, hasSecondFactor } = standing;
  const person = {
    id: stored.userId,
    organizations,
    teams,
    ...(stored.strong && hasSecondFactor === true ? ({ secondFactor: true } as const) : {}),
  };
  return {
    ...person,
    type: "user",
    name: username,
    via: { type: "session", id: stored.id, kind: stored.kind, ...(stored.strong ? { strong: true } : {}) },
    globalRoles,
    ...(stored.impersonator === null ? {} : { impersonator: stored.impersonator }),
    nodes: nodesOfPerson(person, personalOrganization),
  };
}

/** Whoever cannot be checked is not let in. */
function unavailable(cause: unknown): never {
  const detail = "The Loom server cannot read its database, so it cannot check this session: try again.";
  throw Object.assign(new ProblemError("unavailable", detail, { retryable: true, retryAfterMs: 1_000 }), { cause });
}
