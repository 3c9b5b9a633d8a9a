import { randomUUIDv7 } from "node:crypto";
import {
  type ApiKeyInfo,
  type ApiKeyOwner,
  DEFAULT_KEY_OVERLAP_SECONDS,
  type MintedApiKey,
  type NewApiKey,
} from "@loom/api";
import type { Users } from "../../identity-types.ts";
import { type Authenticate, hashToken } from "../../kit/auth.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Once } from "../../kit/idempotency.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import type { Subject } from "../../kit/subject.ts";
import { createAuthentication } from "./authentication.ts";
import { forgetLimits, type KeyLimits } from "./key-limits.ts";
import { mintKey } from "./key-text.ts";
import type { KeyStore, KeyUse, StoredKey } from "./store.ts";

const DAY_MS = 86_400_000;
/** Live ones of one owner. */
export const MAX_LIVE_KEYS = 100;
/** Keys that have ended are shown so long, in days. */
const SHOWN_DAYS = 90;
/** So many that have ended are removed at a time. */
const PURGED_AT_ONCE = 500;
/** Uses of one key are looked at so often. */
const USE_MS = 1_000;

/** `strong`: he makes it for himself, and has given his second factor. */
export type KeyMaker = { readonly by: ApiKeyInfo["createdBy"]; readonly strong?: boolean };

export type ApiKeyService = {
  readonly authenticate: Authenticate;
  /** Newest first. */
  list(
    subject: Subject,
    owner: ApiKeyOwner,
    page: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<{ readonly keys: readonly ApiKeyInfo[]; readonly nextCursor: string | null }>;
  ownerOf(id: string): Promise<ApiKeyOwner | undefined>;
  /** @throws ProblemError that names the field */
  create(
    owner: ApiKeyOwner,
    wish: NewApiKey,
    options: KeyMaker & { readonly once?: Once | undefined },
  ): Promise<MintedApiKey>;
  /** A key with the same name, scopes and length of life takes the place of this one. @throws ProblemError */
  rotate(
    id: string,
    options: KeyMaker & { readonly overlapSeconds?: number | undefined },
  ): Promise<{ readonly minted: MintedApiKey; readonly old: ApiKeyInfo }>;
  /** Gives the key as it is then. `isNew`: not where it was revoked already. @throws ProblemError */
  revoke(id: string): Promise<{ readonly key: ApiKeyInfo; readonly isNew: boolean }>;
  /** Forgets the keys that other servers have ended. */
  followEnds(): Promise<void>;
  /** Writes down when keys were used last. */
  saveUses(): Promise<void>;
  /** Removes keys that are not shown any more, with their limits. */
  purge(): Promise<void>;
};

export type ApiKeyOptions = {
  readonly store: KeyStore;
  readonly users: Pick<Users, "standing" | "onChange">;
  readonly isOrganization: (id: string) => Promise<boolean>;
  /** How long a key may live at most, in milliseconds; absent: for ever. */
  readonly maxLifeMs: number | undefined;
  readonly limits: KeyLimits;
  readonly clock: Clock;
};

export function createApiKeyService(options: ApiKeyOptions): ApiKeyService {
  const { store, users, maxLifeMs, limits, clock } = options;
  /** Not written down yet. */
  const uses = new Map<string, KeyUse>();
  let revision = 0;
  const authentication = createAuthentication({
    store,
    users,
    isOrganization: options.isOrganization,
    ...clock,
    onUse(id, at, from) {
      const last = uses.get(id);
      if (last !== undefined && at - last.at < USE_MS) return;
      uses.set(id, { at, address: from?.origin.address ?? null });
    },
  });
  users.onChange(authentication.forgetUser);

  const iso = (ms: number): string => new Date(ms).toISOString();

  function infoOf({ hash: _, strong: __, ...key }: StoredKey): ApiKeyInfo {
    const use = uses.get(key.id);
    return use === undefined ? key : { ...key, lastUsedAt: iso(use.at), lastUsedFrom: use.address };
  }

  async function find(id: string): Promise<StoredKey> {
    const stored = await store.byId(id);
    if (stored === undefined) throw new ProblemError("not_found", "There is no such key: give the id of one.");
    return stored;
  }

  /** When a key ends that is made now. */
  function endOf(wish: string | undefined, now: number): string | null {
    if (wish === undefined) return maxLifeMs === undefined ? null : iso(now + maxLifeMs);
    const at = Date.parse(wish);
    if (!(at > now)) throw wrongFields([{ field: "expiresAt", message: "must be a time that is still to come" }]);
    if (maxLifeMs !== undefined && at > now + maxLifeMs) {
      const message = `must be at most ${maxLifeMs / DAY_MS} days away on this server`;
      throw wrongFields([{ field: "expiresAt", message }]);
    }
    return iso(at);
  }

  function minted(
    fields: Pick<StoredKey, "owner" | "name" | "scopes" | "createdBy" | "expiresAt" | "strong">,
    now: number,
  ) {
    const key = mintKey();
    const stored: StoredKey = {
      ...fields,
      id: `key-${randomUUIDv7()}`,
      hash: hashToken(key),
      lastFour: key.slice(-4),
      createdAt: iso(now),
      lastUsedAt: null,
      lastUsedFrom: null,
      revokedAt: null,
      replacedBy: null,
    };
    return { key, stored };
  }

  return {
    authenticate: authentication.authenticate,
    async list(subject, owner, { limit, cursor }) {
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, ["string"]);
      const rows = await store.list(subject, owner, { limit: limit + 1, after: after?.toString() });
      const { items, nextCursor } = pageOf(rows, limit, ({ id }) => [id]);
      return { keys: items.map(infoOf), nextCursor };
    },
    ownerOf: async (id) => (await store.byId(id))?.owner,
    async create(owner, { name, scopes = ["llm:use"], expiresAt }, { by, strong = false, once }) {
      const now = clock.wall();
      if (owner.type === "organization" && scopes.includes("admin")) {
        const message = "an organization's key cannot have admin: name what it is for, e.g. org:manage";
        throw wrongFields([{ field: "scopes", message }]);
      }
      const fields = {
        owner,
        name,
        scopes: [...new Set(scopes)],
        createdBy: by,
        expiresAt: endOf(expiresAt, now),
        strong,
      };
      const { key, stored } = minted(fields, now);
      const added = await store.add(stored, { once, now, max: MAX_LIVE_KEYS });
      if (added === undefined) {
        throw new ProblemError("conflict", `There are ${MAX_LIVE_KEYS} keys already: revoke what nobody uses.`);
      }
      return { key: added.repeated ? null : key, info: infoOf(added.key) };
    },
    async rotate(id, { by, strong = false, overlapSeconds = DEFAULT_KEY_OVERLAP_SECONDS }) {
      const old = await find(id);
      const now = clock.wall();
      const { owner, name, scopes } = old;
      const life = old.expiresAt === null ? undefined : Date.parse(old.expiresAt) - Date.parse(old.createdAt);
      const wish = life === undefined ? undefined : iso(now + Math.min(life, maxLifeMs ?? life));
      const next = minted({ owner, name, scopes, createdBy: by, expiresAt: endOf(wish, now), strong }, now);
      const times = { now: iso(now), endsAt: iso(now + overlapSeconds * 1000) };
      if (!(await store.replace(id, next.stored, times))) {
        const detail =
          "This key has ended, or another has taken its place already: rotate that one, or make a new one.";
        throw new ProblemError("conflict", detail);
      }
      authentication.forget(old.hash);
      return { minted: { key: next.key, info: infoOf(next.stored) }, old: infoOf(await find(id)) };
    },
    async revoke(id) {
      const stored = await find(id);
      const isNew = await store.revoke(id, iso(clock.wall()));
      authentication.forget(stored.hash);
      return { key: infoOf(await find(id)), isNew };
    },
    async followEnds() {
      const { revision: newest, hashes } = await store.endedSince(revision);
      revision = newest;
      for (const hash of hashes) authentication.forget(hash);
    },
    async saveUses() {
      if (uses.size === 0) return;
      const saved = new Map(uses);
      await store.used(saved);
      for (const [id, use] of saved) if (uses.get(id) === use) uses.delete(id);
    },
    async purge() {
      const before = iso(clock.wall() - SHOWN_DAYS * DAY_MS);
      for (;;) {
        const keys = await store.ended(before, PURGED_AT_ONCE);
        if (keys.length === 0) return;
        // First: without the keys nobody would know whose they were.
        await forgetLimits(limits, keys);
        await store.remove(keys);
      }
    },
  };
}
