import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { SecondFactorTables } from "./migrations.ts";
import type { StoredFactor } from "./store.ts";

export type StoredPasskey = StoredFactor & { readonly credential_id: string; readonly public_key: Uint8Array };
export type Challenge = Selectable<SecondFactorTables["factor_challenge"]>;

export type PasskeyStore = {
  ofUser(userId: string): Promise<readonly StoredPasskey[]>;
  /** `undefined` where somebody has this very passkey already. */
  add(passkey: {
    readonly id: string;
    readonly user_id: string;
    readonly name: string;
    readonly at: string;
    readonly credential_id: string;
    readonly public_key: Uint8Array;
    readonly counter: number;
  }): Promise<StoredPasskey | undefined>;
  /** `counter`: as the authenticator counts its signatures, if it does. */
  used(id: string, counter: number, at: string): Promise<void>;
  addChallenge(challenge: Challenge): Promise<void>;
  /** Once, if all members are those of one that is kept and it ends after `expires_at`. */
  takeChallenge(challenge: Challenge): Promise<boolean>;
  removeExpired(now: number): Promise<void>;
};

export function createPasskeyStore(database: () => Promise<Database>): PasskeyStore {
  const read = async () => (await database()).tables<SecondFactorTables>();
  const write = async <Result>(work: (db: Kysely<SecondFactorTables>) => Promise<Result>) =>
    (await database()).write<SecondFactorTables, Result>(work, { lock: null });

  return {
    ofUser: async (userId) => {
      const rows = await (await read())
        .selectFrom("factor")
        .selectAll()
        .where("user_id", "=", userId)
        .where("type", "=", "passkey")
        .execute();
      return rows.flatMap((row) => (isPasskey(row) ? [row] : []));
    },
    add: ({ at, ...passkey }) =>
      write(async (db) => {
        const row = {
          ...passkey,
          type: "passkey",
          created_at: at,
          confirmed_at: at,
          last_used_at: null,
          last_step: 0,
        } as const;
        const added = await db
          .insertInto("factor")
          .values(row)
          .onConflict((conflict) => conflict.column("credential_id").doNothing())
          .returningAll()
          .executeTakeFirst();
        return added !== undefined && isPasskey(added) ? added : undefined;
      }),
    async used(id, counter, at) {
      await write((db) => db.updateTable("factor").set({ counter, last_used_at: at }).where("id", "=", id).execute());
    },
    async addChallenge(challenge) {
      await write((db) => db.insertInto("factor_challenge").values(challenge).execute());
    },
    takeChallenge: ({ challenge, user_id, bound_to, purpose, expires_at: now }) =>
      write(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom("factor_challenge")
          .where("challenge", "=", challenge)
          .where("user_id", "=", user_id)
          .where("bound_to", "=", bound_to)
          .where("purpose", "=", purpose)
          .where("expires_at", ">", now)
          .executeTakeFirstOrThrow();
        return numDeletedRows > 0n;
      }),
    async removeExpired(now) {
      await write((db) => db.deleteFrom("factor_challenge").where("expires_at", "<=", now).execute());
    },
  };
}

function isPasskey(row: StoredFactor): row is StoredPasskey {
  return row.credential_id !== null && row.public_key !== null;
}
