import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import { purgeThread, threadById, update } from "./changes.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { LiveHub } from "./live-hub.ts";
import type { ThreadTables } from "./migrations.ts";

/**
 * His threads, their links and what support was allowed. What an organization's members can read stays, as nobody's: it
 * is theirs, too. Of what was purged before, the row stays as nobody's, so that its id is not taken again.
 */
export function purgeThreadsOf(options: {
  readonly database: () => Promise<Database>;
  readonly queue: CommitQueue;
  readonly hub: Pick<LiveHub, "tell">;
  readonly now: () => number;
}): PurgePerson {
  const { database, queue, hub, now } = options;
  return async ({ id: owner, personalOrganization }) => {
    const opened = await database();
    const rows = await opened
      .tables<ThreadTables>()
      .selectFrom("thread")
      .select("id")
      .where("owner", "=", owner)
      .execute();
    for (const { id } of rows) {
      await queue.commit(async (context) => {
        const row = await threadById(context.db, id);
        if (row === undefined || row.owner !== owner) return;
        const isTheirs =
          row.organization !== null && row.organization !== personalOrganization && row.visibility !== "private";
        const stays = row.purged === 1 || (isTheirs && row.deleted_at === null);
        const kept = stays ? row : await purgeThread(context, row, new Date(now()).toISOString());
        await context.db.deleteFrom("thread_share").where("thread_key", "=", row.key).execute();
        await context.db.deleteFrom("thread_support_access").where("thread_key", "=", row.key).execute();
        await update(context, kept, { owner: "", support_until: null, revision: kept.revision + 1 });
      });
      hub.tell(id);
    }
    // What he asked for as support.
    await opened.write<ThreadTables, unknown>((db) =>
      db.updateTable("thread_support_access").set({ requested_by: "" }).where("requested_by", "=", owner).execute(),
    );
  };
}
