import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { PurgeParts } from "../../kit/purge.ts";
import { forgetLimits, type KeyLimits } from "./key-limits.ts";
import type { ApiKeyTables } from "./migrations.ts";

/** The keys of whoever is gone, with their limits; of those that a person made for others, his name goes. */
export function createKeyPurge(database: () => Promise<Database>, limits: KeyLimits): PurgeParts {
  const write = async (work: (db: Kysely<ApiKeyTables>) => Promise<void>) =>
    (await database()).write<ApiKeyTables, void>(work);
  return {
    async person({ id, tombstone }) {
      await removeLimits(id);
      await write(async (db) => {
        await removeKeysOf(db, id);
        await db.updateTable("api_key").set({ created_by_name: tombstone }).where("created_by", "=", id).execute();
      });
    },
    async organization({ id }) {
      await removeLimits(id);
      await write((db) => removeKeysOf(db, id));
    },
  };

  /** First: without the keys nobody would know whose they were. */
  async function removeLimits(owner: string): Promise<void> {
    const keys = (await database()).tables<ApiKeyTables>().selectFrom("api_key").select("id");
    await forgetLimits(limits, await keys.where("owner_id", "=", owner).execute());
  }
}

async function removeKeysOf(db: Kysely<ApiKeyTables>, owner: string): Promise<void> {
  const { newest } = await db
    .selectFrom("api_key")
    .select(({ fn }) => fn.max("revision").as("newest"))
    .executeTakeFirstOrThrow();
  await db
    .deleteFrom("api_key")
    .where("owner_id", "=", owner)
    .where((where) => where.or([where("revision", "=", 0), where("revision", "!=", newest)]))
    .execute();
  // The row with the newest revision stays, as nobody's: revisions go on from it.
  await db
    .updateTable("api_key")
    .set({ owner_id: "", name: "", created_by: "", created_by_name: "", last_used_from: null })
    .where("owner_id", "=", owner)
    .execute();
}
