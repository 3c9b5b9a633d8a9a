import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { LedgerTables } from "./migrations.ts";

const DAY_MS = 86_400_000;

/** In his rows the id stays, as what is charged; his name goes. Day by day: others want to write, too. */
export function purgeNames(database: () => Promise<Database>): PurgePerson {
  return async ({ id, tombstone }) => {
    const opened = await database();
    const db = opened.tables<LedgerTables>();
    const paths = db.selectFrom("usage_node").select("path").where("kind", "=", "user").where("node", "=", id);
    const { first, last } = await db
      .selectFrom("usage")
      .select(({ fn }) => [fn.min("at_ms").as("first"), fn.max("at_ms").as("last")])
      .executeTakeFirstOrThrow();
    if (first === null || (await paths.limit(1).executeTakeFirst()) === undefined) return;
    for (let from = first; from <= last; from += DAY_MS) {
      await opened.write<LedgerTables, unknown>((transaction) =>
        transaction
          .updateTable("usage")
          .set({ subject: tombstone })
          .where("at_ms", ">=", from)
          .where("at_ms", "<", from + DAY_MS)
          // Also what he was called before; whose rows they are is for the path.
          .where("subject", "!=", tombstone)
          .where("path", "in", paths)
          .execute(),
      );
    }
  };
}
