import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { SessionTables } from "./migrations.ts";

/** Also those in which he acted in another's place. They have ended when his account was deleted. */
export function purgeSessions(database: () => Promise<Database>): PurgePerson {
  return async ({ id }) =>
    (await database()).write<SessionTables, void>(
      async (db) => {
        const { newest } = await db
          .selectFrom("session")
          .select(({ fn }) => fn.max("revision").as("newest"))
          .executeTakeFirstOrThrow();
        await db
          .deleteFrom("session")
          .where((where) => where.or([where("user_id", "=", id), where("impersonator_id", "=", id)]))
          .where((where) => where.or([where("revision", "=", 0), where("revision", "!=", newest)]))
          .execute();
        // The row with the newest revision stays, as nobody's: revisions go on from it.
        await db
          .updateTable("session")
          .set({ user_id: "", address: "", device: "", country: null, impersonator_id: null, impersonator_name: null })
          .where((where) => where.or([where("user_id", "=", id), where("impersonator_id", "=", id)]))
          .execute();
      },
      { lock: "sessions" },
    );
}
