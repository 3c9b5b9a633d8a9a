import type { ApiKeyInfo, ApiKeyOwner, TokenScope } from "@loom/api";
import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import { makeOnce, type Once } from "../../kit/idempotency.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Subject } from "../../kit/subject.ts";
import type { ApiKeyTables } from "./migrations.ts";

/** A key as it is kept. */
export type StoredKey = ApiKeyInfo & {
  readonly hash: Uint8Array;
  /** Whether its person had given his second factor where he made or rotated it. */
  readonly strong: boolean;
};

/** When a key was used last, and from where. */
export type KeyUse = { readonly at: number; readonly address: string | null };

export type KeyStore = {
  /** Newest first, behind the id `after`; those that the policies let the subject read. */
  list(
    subject: Subject,
    owner: ApiKeyOwner,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly StoredKey[]>;
  byHash(hash: Uint8Array): Promise<StoredKey | undefined>;
  byId(id: string): Promise<StoredKey | undefined>;
  /** Gives what is there: with `once`, what was made before. `undefined` where the owner has `max` live ones already. */
  add(
    key: StoredKey,
    options: { readonly once: Once | undefined; readonly now: number; readonly max: number },
  ): Promise<{ readonly key: StoredKey; readonly repeated: boolean } | undefined>;
  /** Puts `next` in the place of a key that is live and was not replaced yet, which ends at `endsAt`; else `false`. */
  replace(id: string, next: StoredKey, times: { readonly now: string; readonly endsAt: string }): Promise<boolean>;
  /** False where that was so before. */
  revoke(id: string, at: string): Promise<boolean>;
  /** Hashes of the keys that ended after `revision`, on whatever server, and the revision now. */
  endedSince(revision: number): Promise<{ readonly revision: number; readonly hashes: readonly Uint8Array[] }>;
  used(uses: ReadonlyMap<string, KeyUse>): Promise<void>;
  /** The oldest `limit` of those that ended before `before` and may be removed. */
  ended(before: string, limit: number): Promise<readonly { readonly id: string }[]>;
  /** Removes what `ended` has given. */
  remove(keys: readonly { readonly id: string }[]): Promise<void>;
};

export function createKeyStore(database: () => Promise<Database>, filter: ListFilter): KeyStore {
  const select = async () => (await database()).tables<ApiKeyTables>().selectFrom("api_key").selectAll();
  const write = async <Result>(work: (db: Keys) => Promise<Result>): Promise<Result> =>
    (await database()).write<ApiKeyTables, Result>(work);

  return {
    async list(subject, { type, id }, { after, limit }) {
      const all = (await select())
        .where("owner_id", "=", id)
        .where("owner_type", "=", type)
        .where((where) => {
          const [own, owner] = [where.ref("id"), where.ref("owner_id")];
          return filter(subject, "read", "api_key", { id: own, [type === "user" ? "owner" : "organization"]: owner });
        });
      const rows = after === undefined ? all : all.where("id", "<", after);
      return (await rows.orderBy("id", "desc").limit(limit).execute()).map(keyOf);
    },
    async byHash(hash) {
      const row = await (await select()).where("key_hash", "=", hash).executeTakeFirst();
      return row && keyOf(row);
    },
    async byId(id) {
      const row = await (await select()).where("id", "=", id).executeTakeFirst();
      return row && keyOf(row);
    },
    add: (key, { once, now, max }) =>
      write(async (db) => {
        let isFull = false;
        const { id, repeated } = await makeOnce(db, { once, now }, async () => {
          isFull = (await countLive(db, key)) >= max;
          if (!isFull) await db.insertInto("api_key").values(rowOf(key)).execute();
          return key.id;
        });
        if (isFull) throw new TooManyKeys();
        const row = await db.selectFrom("api_key").selectAll().where("id", "=", id).executeTakeFirst();
        return row && { key: keyOf(row), repeated };
      }).catch((error: unknown) => {
        if (error instanceof TooManyKeys) return undefined;
        throw error;
      }),
    replace: (id, next, { now, endsAt }) =>
      write(async (db) => {
        const old = await db.selectFrom("api_key").selectAll().where("id", "=", id).executeTakeFirst();
        const isLive = old?.revoked_at === null && (old.expires_at === null || old.expires_at > now);
        if (old === undefined || !isLive || old.replaced_by !== null) return false;
        await db.insertInto("api_key").values(rowOf(next)).execute();
        const ends = old.expires_at !== null && old.expires_at < endsAt ? old.expires_at : endsAt;
        await db
          .updateTable("api_key")
          .set({ expires_at: ends, replaced_by: next.id, revision: (await newestRevision(db)) + 1 })
          .where("id", "=", id)
          .execute();
        return true;
      }),
    revoke: (id, at) =>
      write(async (db) => {
        const { numUpdatedRows } = await db
          .updateTable("api_key")
          .set({ revoked_at: at, revision: (await newestRevision(db)) + 1 })
          .where("id", "=", id)
          .where("revoked_at", "is", null)
          .executeTakeFirstOrThrow();
        return numUpdatedRows > 0n;
      }),
    async endedSince(revision) {
      const rows = await (await database())
        .tables<ApiKeyTables>()
        .selectFrom("api_key")
        .select(["key_hash", "revision"])
        .where("revision", ">", revision)
        .execute();
      return {
        revision: rows.reduce((newest, row) => Math.max(newest, row.revision), revision),
        hashes: rows.map((row) => row.key_hash),
      };
    },
    used: (uses) =>
      write(async (db) => {
        for (const [id, { at, address }] of uses) {
          const time = new Date(at).toISOString();
          await db
            .updateTable("api_key")
            .set({ last_used_at: time, last_used_from: address })
            .where("id", "=", id)
            // Another server may have seen it later.
            .where((where) => where.or([where("last_used_at", "is", null), where("last_used_at", "<", time)]))
            .execute();
        }
      }),
    async ended(before, limit) {
      const db = (await database()).tables<ApiKeyTables>();
      // The row with the newest revision stays: revisions go on from it. Those that are older never become the newest.
      const newest = await newestRevision(db);
      return db
        .selectFrom("api_key")
        .select("id")
        .where((where) => where.or([where("revoked_at", "<", before), where("expires_at", "<", before)]))
        .where((where) => where.or([where("revision", "=", 0), where("revision", "!=", newest)]))
        .orderBy("id")
        .limit(limit)
        .execute();
    },
    async remove(keys) {
      const ids = keys.map(({ id }) => id);
      await write((db) => db.deleteFrom("api_key").where("id", "in", ids).execute());
    },
  };
}

type Keys = Kysely<ApiKeyTables>;

/** Undoes what was written with it. */
class TooManyKeys extends Error {
  override readonly name = "TooManyKeys";
}

async function countLive(db: Keys, { owner, createdAt: now }: StoredKey): Promise<number> {
  const { count } = await db
    .selectFrom("api_key")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("owner_id", "=", owner.id)
    .where("revoked_at", "is", null)
    .where((where) => where.or([where("expires_at", "is", null), where("expires_at", ">", now)]))
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function newestRevision(db: Keys): Promise<number> {
  const row = await db
    .selectFrom("api_key")
    .select(({ fn }) => fn.max("revision").as("newest"))
    .executeTakeFirst();
  return row?.newest ?? 0;
}

function rowOf(key: StoredKey): ApiKeyTables["api_key"] {
  return {
    id: key.id,
    key_hash: key.hash,
    owner_type: key.owner.type,
    owner_id: key.owner.id,
    name: key.name,
    scopes: JSON.stringify(key.scopes),
    last_four: key.lastFour,
    created_at: key.createdAt,
    created_by: key.createdBy.id,
    created_by_name: key.createdBy.name,
    expires_at: key.expiresAt,
    last_used_at: key.lastUsedAt,
    last_used_from: key.lastUsedFrom,
    revoked_at: key.revokedAt,
    replaced_by: key.replacedBy,
    revision: 0,
    strong: key.strong ? 1 : 0,
  };
}

function keyOf(row: Selectable<ApiKeyTables["api_key"]>): StoredKey {
  return {
    id: row.id,
    hash: row.key_hash,
    owner: { type: row.owner_type, id: row.owner_id },
    name: row.name,
    scopes: JSON.parse(row.scopes) as TokenScope[],
    lastFour: row.last_four,
    createdAt: row.created_at,
    createdBy: { id: row.created_by, name: row.created_by_name },
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
    revokedAt: row.revoked_at,
    replacedBy: row.replaced_by,
    strong: row.strong === 1,
  };
}
