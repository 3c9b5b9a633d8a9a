import type { Database } from "../../kit/database.ts";
import type { OwnerTables } from "./migrations.ts";

/** Hashes of the owner's tokens. */
export type OwnerStore = {
  hashes(): Promise<readonly Uint8Array[]>;
  /**
   * Takes the first token of this database, or with `replace` a new one that voids the others. `make` runs with the write
   * lock held, at most once over all processes, and gives the hash; what it throws undoes everything.
   */
  mint(make: () => Uint8Array, options: { readonly id: string; readonly replace: boolean }): Promise<boolean>;
};

export function createOwnerStore(database: () => Promise<Database>, now: () => Date): OwnerStore {
  return {
    async hashes() {
      const rows = await (await database())
        .tables<OwnerTables>()
        .selectFrom("owner_token")
        .select("token_hash")
        .execute();
      return rows.map((row) => row.token_hash);
    },
    async mint(make, { id, replace }) {
      return (await database()).write<OwnerTables, boolean>(async (transaction) => {
        if (replace) await transaction.deleteFrom("owner_token").execute();
        const existing = await transaction.selectFrom("owner_token").select("id").executeTakeFirst();
        if (existing !== undefined) return false;
        const values = { id, token_hash: make(), created_at: now().toISOString() };
        await transaction.insertInto("owner_token").values(values).execute();
        return true;
      });
    },
  };
}
