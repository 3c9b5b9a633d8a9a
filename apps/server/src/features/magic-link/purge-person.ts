import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { MagicLinkTables } from "./migrations.ts";

/** What was sent to his address. */
export function purgeLinks(database: () => Promise<Database>): PurgePerson {
  return async ({ email }) => {
    await (await database()).write<MagicLinkTables, unknown>((db) =>
      db.deleteFrom("magic_link").where("email", "=", email.toLowerCase()).execute(),
    );
  };
}
