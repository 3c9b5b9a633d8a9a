import { randomUUIDv7 } from "node:crypto";
import type { SessionInfo } from "@loom/api";
import type { NewSession, Sessions, StartedSession, Users } from "../../identity-types.ts";
import type { Audit } from "../../kit/audit.ts";
import { type Authenticate, hashToken, mintToken } from "../../kit/auth.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { Subject } from "../../kit/subject.ts";
import { createAuthentication } from "./authentication.ts";
import { deviceName } from "./device-name.ts";
import type { Life, SessionStore, StoredSession } from "./store.ts";

const DAY_MS = 86_400_000;

export type SessionLimits = {
  /** How long a session lives unused; each use begins it anew. */
  readonly idleMs: number;
  /** How long one lives at most. */
  readonly maxMs: number;
};

export const SESSION_LIMITS: SessionLimits = { idleMs: 60 * DAY_MS, maxMs: 180 * DAY_MS };

export type SessionService = Sessions & {
  readonly byBearer: Authenticate;
  readonly byCookie: Authenticate;
  /** Whether its person has signed in, or given a second factor, within the last `withinMs` milliseconds. `strong`: and has given a second factor. */
  wasProven(id: string, withinMs: number, options: { readonly strong: boolean }): Promise<boolean>;
  /** Its person has given a second factor now. */
  prove(id: string): Promise<void>;
  /** RFC 3339: when a session that is live ends, however much it is used. */
  endOf(id: string): Promise<string | undefined>;
  /** Of a session that is live, who it is; by its id, for what was given to somebody who had it. */
  subjectOf(id: string): Promise<Subject | undefined>;
  /** Newest first. `current`: the one that asks. */
  list(
    userId: string,
    options: { readonly limit: number; readonly cursor?: string | undefined; readonly current?: string | undefined },
  ): Promise<{ readonly sessions: readonly SessionInfo[]; readonly nextCursor: string | null }>;
  /** Whose it is; `undefined` for one that is not there. */
  ownerOf(id: string): Promise<string | undefined>;
  /** Forgets the sessions that other servers have ended. */
  followEnds(): Promise<void>;
  /** Writes down when sessions were used last. */
  saveUses(): Promise<void>;
  /** Removes what is over for a day. */
  purge(): Promise<void>;
};

export type SessionServiceOptions = {
  readonly store: SessionStore;
  readonly users: Pick<Users, "standing" | "byId" | "onChange">;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  /** The country of an address, two letters; nothing where it is not known. */
  readonly countryOf: (address: string) => Promise<string | undefined>;
  readonly audit: Audit;
  readonly log: Log;
};

export function createSessionService(options: SessionServiceOptions): SessionService {
  const { store, users, limits, clock, audit, log } = options;
  /** Not written down yet. */
  const uses = new Map<string, number>();
  const toCheck = new Set<string>();
  let isChecking = false;
  let revision = 0;
  const authentication = createAuthentication({
    store,
    users,
    idleMs: limits.idleMs,
    ...clock,
    onUse: (id, at) => void uses.set(id, at),
    lastUseOf: (id) => uses.get(id),
    onRefused: (userId) => void inBackground(endAllOf(userId)),
  });
  users.onChange((userId) => {
    authentication.forgetUser(userId);
    if (userId !== "") checkSoon(userId);
  });

  const iso = (ms: number): string => new Date(ms).toISOString();

  const lifeAt = (now: number): Life => ({ now: iso(now), usedSince: iso(now - limits.idleMs) });

  async function inBackground(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => log.warn("sessions could not be ended", { error: String(error) }));
  }

  /** One after the other, and one of whom much is heard only once: many change at the same moment. */
  function checkSoon(userId: string): void {
    toCheck.add(userId);
    if (!isChecking) void checkAll();
  }

  async function checkAll(): Promise<void> {
    isChecking = true;
    // Those who are added meanwhile are seen, too.
    for (const userId of toCheck) {
      toCheck.delete(userId);
      await inBackground(endIfClosed(userId));
    }
    isChecking = false;
  }

  /** Whoever is let in again some day signs in again. */
  async function endIfClosed(userId: string): Promise<void> {
    const user = await users.byId(userId);
    if (user === undefined || user.disabledAt !== null || user.deletedAt !== null) await endAllOf(userId);
  }

  async function end(which: Parameters<SessionStore["end"]>[0]): Promise<number> {
    const ended = await store.end(which, iso(clock.wall()));
    for (const hash of ended) authentication.forget(hash);
    return ended.length;
  }

  const endAllOf: Sessions["endAllOf"] = (userId, { except } = {}) =>
    end({ userId, ...(except === undefined ? {} : { except }) });

  async function begin(
    { userId, kind, origin, strong = false, provenBy }: NewSession,
    maxMs: number,
    impersonator: StoredSession["impersonator"],
  ): Promise<StartedSession | undefined> {
    const standing = await users.standing(userId);
    if (standing === undefined) return undefined;
    const now = clock.wall();
    const token = mintToken("ls_").expose();
    const proof = await proofOf({ strong, provenBy }, impersonator === null ? iso(now) : null);
    const session: StoredSession = {
      id: `session-${randomUUIDv7()}`,
      hash: hashToken(token),
      userId,
      kind,
      createdAt: iso(now),
      lastUsedAt: iso(now),
      expiresAt: iso(now + maxMs),
      address: origin.address,
      device: deviceName(origin.userAgent),
      country: (await options.countryOf(origin.address)) ?? null,
      impersonator,
      endedAt: null,
      ...proof,
    };
    await store.add(session);
    const { id, expiresAt, device, country } = session;
    await audit.record({
      event: "session.created",
      outcome: "success",
      actor: { type: "user", id: userId, name: standing.username, ...(impersonator === null ? {} : { impersonator }) },
      target: { type: "session", id },
      details: { kind, device, country },
      origin,
    });
    return { id, token, expiresAt };
  }

  /** What was let in by another session is no better than that one. */
  async function proofOf(
    { strong, provenBy }: { readonly strong: boolean; readonly provenBy: string | undefined },
    provenAt: string | null,
  ): Promise<Pick<StoredSession, "provenAt" | "strong">> {
    if (provenBy === undefined) return { provenAt, strong };
    const by = await store.byId(provenBy);
    return { provenAt: by?.provenAt ?? null, strong: by?.strong === true };
  }

  return {
    byBearer: authentication.byBearer,
    byCookie: authentication.byCookie,
    start: (session) => begin(session, limits.maxMs, null),
    startImpersonation: ({ impersonator, durationMs, ...session }) =>
      begin(session, Math.min(durationMs, limits.maxMs), impersonator),
    end: async (id) => (await end({ id })) > 0,
    endAllOf,
    async wasProven(id, withinMs, { strong }) {
      const session = await store.byId(id);
      if (session === undefined || (strong && !session.strong)) return false;
      const at = session.provenAt;
      return at !== null && clock.wall() - Date.parse(at) < withinMs;
    },
    async prove(id) {
      await store.prove(id, iso(clock.wall()));
      const hash = (await store.byId(id))?.hash;
      if (hash !== undefined) authentication.forget(hash);
    },
    async subjectOf(id) {
      const stored = await store.byId(id);
      return stored && authentication.bySession(stored);
    },
    async endOf(id) {
      const stored = await store.byId(id);
      return stored === undefined || stored.endedAt !== null ? undefined : stored.expiresAt;
    },
    async ownerOf(id) {
      const stored = await store.byId(id);
      return stored === undefined || stored.endedAt !== null ? undefined : stored.userId;
    },
    async list(userId, { limit, cursor, current }) {
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, ["string"]);
      const rows = await store.live(userId, lifeAt(clock.wall()), {
        limit: limit + 1,
        ...(after === undefined ? {} : { after: String(after) }),
      });
      const { items, nextCursor } = pageOf(rows, limit, ({ id }) => [id]);
      return { sessions: items.map((row) => infoOf(row, row.id === current)), nextCursor };
    },
    async followEnds() {
      const { revision: newest, hashes } = await store.endedSince(revision);
      revision = newest;
      for (const hash of hashes) authentication.forget(hash);
    },
    async saveUses() {
      if (uses.size === 0) return;
      const times = new Map([...uses].map(([id, at]) => [id, iso(at)]));
      await store.used(times);
      for (const [id, at] of times) if (Date.parse(at) === uses.get(id)) uses.delete(id);
    },
    async purge() {
      const now = clock.wall();
      await store.purge(lifeAt(now), iso(now - DAY_MS));
    },
  };

  function infoOf(session: StoredSession, current: boolean): SessionInfo {
    const { id, kind, createdAt, address, device, country, impersonator } = session;
    const lastUsed = Math.max(uses.get(id) ?? 0, Date.parse(session.lastUsedAt));
    const expires = Math.min(lastUsed + limits.idleMs, Date.parse(session.expiresAt));
    return {
      id,
      kind,
      current,
      createdAt,
      lastUsedAt: iso(lastUsed),
      expiresAt: iso(expires),
      address,
      device,
      country,
      impersonator,
    };
  }
}
