import type { Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { SignInTables } from "./migrations.ts";

/** An account at a provider that belongs to a user. Times are RFC 3339. */
export type StoredIdentity = {
  readonly id: string;
  readonly userId: string;
  readonly provider: string;
  readonly issuer: string;
  readonly subject: string;
  readonly email: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
};

export type IdentityStore = {
  bySubject(issuer: string, subject: string): Promise<StoredIdentity | undefined>;
  byId(id: string): Promise<StoredIdentity | undefined>;
  ofUser(userId: string): Promise<readonly StoredIdentity[]>;
  /** Gives the one that is there where another was faster. */
  add(identity: StoredIdentity): Promise<StoredIdentity>;
  used(id: string, email: string, at: string): Promise<void>;
  /** `last` where the user has no other. */
  remove(id: string): Promise<"removed" | "last" | "unknown">;
  /** Of a user who is gone for good. */
  removeAllOf(userId: string): Promise<void>;
};

const LOCK = { lock: "identities" };
const ALONE = { lock: null };

export function createIdentityStore(database: () => Promise<Database>): IdentityStore {
  const select = async () => (await database()).tables<SignInTables>().selectFrom("identity").selectAll();
  return {
    async bySubject(issuer, subject) {
      const row = await (await select()).where("issuer", "=", issuer).where("subject", "=", subject).executeTakeFirst();
      return row && identityOf(row);
    },
    async byId(id) {
      const row = await (await select()).where("id", "=", id).executeTakeFirst();
      return row && identityOf(row);
    },
    ofUser: async (userId) =>
      (await (await select()).where("user_id", "=", userId).orderBy("id").execute()).map(identityOf),
    async add(identity) {
      return (await database()).write<SignInTables, StoredIdentity>(async (db) => {
        await db
          .insertInto("identity")
          .values(rowOf(identity))
          .onConflict((conflict) => conflict.columns(["issuer", "subject"]).doNothing())
          .execute();
        const row = await db
          .selectFrom("identity")
          .selectAll()
          .where("issuer", "=", identity.issuer)
          .where("subject", "=", identity.subject)
          .executeTakeFirstOrThrow();
        return identityOf(row);
      }, ALONE);
    },
    async used(id, email, at) {
      await (await database()).write<SignInTables, unknown>(
        (db) => db.updateTable("identity").set({ email, last_used_at: at }).where("id", "=", id).execute(),
        ALONE,
      );
    },
    async remove(id) {
      return (await database()).write<SignInTables, "removed" | "last" | "unknown">(async (db) => {
        const row = await db.selectFrom("identity").select("user_id").where("id", "=", id).executeTakeFirst();
        if (row === undefined) return "unknown";
        const all = await db.selectFrom("identity").select("id").where("user_id", "=", row.user_id).limit(2).execute();
        if (all.length < 2) return "last";
        await db.deleteFrom("identity").where("id", "=", id).execute();
        return "removed";
      }, LOCK);
    },
    async removeAllOf(userId) {
      await (await database()).write<SignInTables, unknown>(
        (db) => db.deleteFrom("identity").where("user_id", "=", userId).execute(),
        LOCK,
      );
    },
  };
}

function rowOf({ id, provider, issuer, subject, email, userId, createdAt, lastUsedAt }: StoredIdentity) {
  return { id, provider, issuer, subject, email, user_id: userId, created_at: createdAt, last_used_at: lastUsedAt };
}

function identityOf(row: Selectable<SignInTables["identity"]>): StoredIdentity {
  const { id, provider, issuer, subject, email } = row;
  return {
    id,
    provider,
    issuer,
    subject,
    email,
    userId: row.user_id,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  };
}
