import type { TokenScope } from "@loom/api";
import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { TokenTables } from "./migrations.ts";

/** An access token as it is kept. Times are RFC 3339. */
export type StoredToken = {
  readonly id: string;
  readonly name: string;
  readonly hash: Uint8Array;
  readonly scopes: readonly TokenScope[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
};

export type TokenStore = {
  list(): Promise<readonly StoredToken[]>;
  byHash(hash: Uint8Array): Promise<StoredToken | undefined>;
  /** By id, or by the name of one that is not revoked. */
  find(idOrName: string): Promise<StoredToken | undefined>;
  /** False where the name is taken. */
  add(token: StoredToken): Promise<boolean>;
  /** False where that was so before. */
  revoke(id: string, at: string): Promise<boolean>;
  /** Hashes of the tokens that were revoked after `revision`, by whatever process, and the revision now. */
  revokedSince(revision: number): Promise<{ readonly revision: number; readonly hashes: readonly Uint8Array[] }>;
  /** Id and time. */
  used(times: ReadonlyMap<string, string>): Promise<void>;
};

export function createTokenStore(database: () => Promise<Database>): TokenStore {
  const select = async () => (await database()).tables<TokenTables>().selectFrom("access_token").selectAll();
  const write = async <Result>(work: (transaction: Kysely<TokenTables>) => Promise<Result>): Promise<Result> =>
    (await database()).write(work);
  return {
    list: async () => (await (await select()).orderBy("created_at").orderBy("id").execute()).map(tokenOf),
    async byHash(hash) {
      const row = await (await select()).where("token_hash", "=", hash).executeTakeFirst();
      return row && tokenOf(row);
    },
    async find(idOrName) {
      const row = await (await select())
        .where((where) =>
          where.or([where("id", "=", idOrName), where.and({ name: idOrName }).and("revoked_at", "is", null)]),
        )
        .executeTakeFirst();
      return row && tokenOf(row);
    },
    add: ({ id, name, hash, scopes, createdAt, expiresAt, lastUsedAt, revokedAt }) =>
      write(async (transaction) => {
        const taken = await transaction
          .selectFrom("access_token")
          .select("id")
          .where("name", "=", name)
          .where("revoked_at", "is", null)
          .executeTakeFirst();
        if (taken !== undefined) return false;
        await transaction
          .insertInto("access_token")
          .values({
            id,
            name,
            token_hash: hash,
            scopes: JSON.stringify(scopes),
            created_at: createdAt,
            expires_at: expiresAt,
            last_used_at: lastUsedAt,
            revoked_at: revokedAt,
            revision: 0,
          })
          .execute();
        return true;
      }),
    revoke: (id, at) =>
      write(async (transaction) => {
        const newest = await newestRevision(transaction);
        const { numUpdatedRows } = await transaction
          .updateTable("access_token")
          .set({ revoked_at: at, revision: newest + 1 })
          .where("id", "=", id)
          .where("revoked_at", "is", null)
          .executeTakeFirstOrThrow();
        return numUpdatedRows > 0n;
      }),
    async revokedSince(revision) {
      const rows = await (await database())
        .tables<TokenTables>()
        .selectFrom("access_token")
        .select(["token_hash", "revision"])
        .where("revision", ">", revision)
        .execute();
      return {
        revision: rows.reduce((newest, row) => Math.max(newest, row.revision), revision),
        hashes: rows.map((row) => row.token_hash),
      };
    },
    async used(times) {
      await write(async (transaction) => {
        for (const [id, at] of times) {
          await transaction.updateTable("access_token").set({ last_used_at: at }).where("id", "=", id).execute();
        }
      });
    },
  };
}

async function newestRevision(db: Kysely<TokenTables>): Promise<number> {
  const row = await db
    .selectFrom("access_token")
    .select(({ fn }) => fn.max("revision").as("newest"))
    .executeTakeFirst();
  return row?.newest ?? 0;
}

function tokenOf(row: Selectable<TokenTables["access_token"]>): StoredToken {
  return {
    id: row.id,
    name: row.name,
    hash: row.token_hash,
    scopes: JSON.parse(row.scopes) as TokenScope[],
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
