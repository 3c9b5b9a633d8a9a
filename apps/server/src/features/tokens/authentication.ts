import { timingSafeEqual } from "node:crypto";
import { type Authenticate, hashToken, looksLikeToken, type TokenUse } from "../../kit/auth.ts";
import { DatabaseUnavailable } from "../../kit/database-error.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { StoredToken, TokenStore } from "./store.ts";
import { type KnownToken, TokenCache } from "./token-cache.ts";

/**
 * A token revoked by another process is void within some two seconds, by `followRevocations`; should that fail, after at
 * most 5 s; one revoked here, at once.
 */
const RECHECK_MS = 4_000;
/** While the database cannot be reached, who was known so short a time ago is let in: a restart of it stops nobody. */
const GRACE_MS = 60_000;
/** Then it is asked so often, and not by every request. */
const AWAY_MS = 1_000;

export type TokenAuthentication = {
  readonly authenticate: Authenticate;
  forget(hash: Uint8Array): void;
};

export type AuthenticationOptions = {
  readonly store: TokenStore;
  /** Milliseconds; the second does not jump. */
  readonly wall: () => number;
  readonly monotonic: () => number;
  /** Makes the limits hold that another process has given to a token; before its first request is let in. */
  readonly limitsOf: () => Promise<void>;
  readonly onUse: (id: string, at: number) => void;
};

/** Knows tokens by their hashes, and remembers for a few seconds what the database said about them. */
export function createAuthentication(options: AuthenticationOptions): TokenAuthentication {
  const { store, wall, monotonic, onUse } = options;
  const cache = new TokenCache();
  /** Changes with every token that is revoked here: an answer that was asked for earlier says nothing any more. */
  let generation = 0;
  let awayUntil = Number.NEGATIVE_INFINITY;

  function admit(known: KnownToken, hash: Buffer, from: TokenUse | undefined): KnownToken["subject"] | undefined {
    const at = wall();
    if (at >= known.expiresAt || !timingSafeEqual(hash, known.hash)) return undefined;
    if (from !== "before") onUse(known.subject.id, at);
    return known.subject;
  }

  function isWithinGrace(known: KnownToken | undefined, asked: number): known is KnownToken {
    return known !== undefined && asked === generation && monotonic() - known.checkedAt < GRACE_MS;
  }

  async function ask(
    hash: Buffer,
    key: string,
    from: TokenUse | undefined,
  ): Promise<KnownToken["subject"] | undefined> {
    const asked = generation;
    const checkedAt = monotonic();
    const stored = await store.byHash(hash).catch((error: unknown) => {
      const known = cache.get(key);
      if (!(error instanceof DatabaseUnavailable) || !isWithinGrace(known, asked)) return unavailable(error);
      awayUntil = monotonic() + AWAY_MS;
      return known;
    });
    if (stored !== undefined && "subject" in stored) return admit(stored, hash, from);
    if (stored === undefined || stored.revokedAt !== null || asked !== generation) {
      cache.delete(key);
      return asked === generation ? undefined : ask(hash, key, from);
    }
    if (cache.get(key) === undefined) await options.limitsOf().catch((error: unknown) => unavailable(error));
    if (asked !== generation) return ask(hash, key, from);
    const known = knownToken(stored, checkedAt);
    cache.set(key, known);
    return admit(known, hash, from);
  }

  return {
    authenticate(token, from) {
      if (!looksLikeToken(token)) return undefined;
      const hash = hashToken(token);
      const key = hash.toString("latin1");
      const known = cache.get(key);
      if (known !== undefined && monotonic() - known.checkedAt < RECHECK_MS) return admit(known, hash, from);
      if (monotonic() < awayUntil && isWithinGrace(known, generation)) return admit(known, hash, from);
      return ask(hash, key, from);
    },
    forget(hash) {
      generation += 1;
      cache.delete(Buffer.from(hash).toString("latin1"));
    },
  };
}

function knownToken(stored: StoredToken, checkedAt: number): KnownToken {
  const { id, name, scopes, hash, expiresAt } = stored;
  return {
    subject: { type: "token", id, name, scopes, nodes: [{ kind: "token", id }] },
    hash,
    expiresAt: expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    checkedAt,
  };
}

/** Whoever cannot be checked is not let in. */
function unavailable(cause: unknown): never {
  const detail = "The Loom server cannot read its database, so it cannot check this token: try again.";
  throw Object.assign(new ProblemError("unavailable", detail, { retryable: true, retryAfterMs: 1_000 }), { cause });
}
