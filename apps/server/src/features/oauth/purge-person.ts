import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { OAuthTables } from "./migrations.ts";

/** What let programs in as him. */
export function purgeGrants(database: () => Promise<Database>): PurgePerson {
  return async ({ id }) => {
    await (await database()).write<OAuthTables, unknown>(
      (db) => db.deleteFrom("oauth_grant").where("user_id", "=", id).execute(),
      { lock: "oauth" },
    );
  };
}
