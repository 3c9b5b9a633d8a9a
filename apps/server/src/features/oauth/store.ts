import type { Kysely, Selectable, Updateable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { OAuthTables } from "./migrations.ts";

export type Grant = Selectable<OAuthTables["oauth_grant"]>;
export type GrantChange = Updateable<OAuthTables["oauth_grant"]>;

export type GrantStore = {
  add(grant: Grant): Promise<void>;
  byUserCode(hash: Uint8Array): Promise<Grant | undefined>;
  /**
   * Reads a grant by its secret and changes it, so that of two at once the second sees what the first did. `decide` says
   * what becomes of it; what it gives besides is given back.
   */
  change<Outcome>(
    by: { readonly secretHash: Uint8Array } | { readonly id: string },
    decide: (grant: Grant | undefined) => { readonly change?: GrantChange; readonly outcome: Outcome },
  ): Promise<Outcome>;
  /** Removes what ended before `time`. */
  purge(time: number): Promise<void>;
};

export function createGrantStore(database: () => Promise<Database>): GrantStore {
  const write = async <Result>(work: (transaction: Kysely<OAuthTables>) => Promise<Result>): Promise<Result> =>
    (await database()).write(work, { lock: "oauth" });
  return {
    async add(grant) {
      await write((transaction) => transaction.insertInto("oauth_grant").values(grant).execute());
    },
    async byUserCode(hash) {
      return (await database())
        .tables<OAuthTables>()
        .selectFrom("oauth_grant")
        .selectAll()
        .where("user_code_hash", "=", hash)
        .executeTakeFirst();
    },
    change: (by, decide) =>
      write(async (transaction) => {
        const query = transaction.selectFrom("oauth_grant").selectAll();
        const found = "id" in by ? query.where("id", "=", by.id) : query.where("secret_hash", "=", by.secretHash);
        const grant = await found.executeTakeFirst();
        const { change, outcome } = decide(grant);
        if (grant !== undefined && change !== undefined) {
          await transaction.updateTable("oauth_grant").set(change).where("id", "=", grant.id).execute();
        }
        return outcome;
      }),
    async purge(time) {
      await write((transaction) => transaction.deleteFrom("oauth_grant").where("expires_at", "<", time).execute());
    },
  };
}
