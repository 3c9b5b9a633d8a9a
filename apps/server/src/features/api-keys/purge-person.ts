import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { ApiKeyTables } from "./migrations.ts";

/** His own keys and those of his personal organization; of the keys that he made for others, his name goes. */
export function purgeApiKeys(database: () => Promise<Database>): PurgePerson {
  return async ({ id, tombstone, personalOrganization }) =>
    (await database()).write<ApiKeyTables, void>(async (db) => {
      const owners = personalOrganization === undefined ? [id] : [id, personalOrganization];
      const { newest } = await db
        .selectFrom("api_key")
        .select(({ fn }) => fn.max("revision").as("newest"))
        .executeTakeFirstOrThrow();
      await db
        .deleteFrom("api_key")
        .where("owner_id", "in", owners)
        .where((where) => where.or([where("revision", "=", 0), where("revision", "!=", newest)]))
        .execute();
      // The row with the newest revision stays, as nobody's: revisions go on from it.
      await db
        .updateTable("api_key")
        .set({ owner_id: "", name: "", created_by: "", created_by_name: "", last_used_from: null })
        .where("owner_id", "in", owners)
        .execute();
      await db.updateTable("api_key").set({ created_by_name: tombstone }).where("created_by", "=", id).execute();
    });
}
