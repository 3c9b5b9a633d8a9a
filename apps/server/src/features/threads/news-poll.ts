import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { LiveHub } from "./live-hub.ts";
import type { ThreadTables } from "./migrations.ts";

const MAX_CHANGES = 1_000;

/** Tells who follows a thread here of what other servers on the same database have changed. */
export class NewsPoll {
  readonly #database: () => Promise<Database>;
  readonly #hub: LiveHub;
  #since: number | undefined;

  constructor(database: () => Promise<Database>, hub: LiveHub) {
    this.#database = database;
    this.#hub = hub;
  }

  async look(): Promise<void> {
    if (this.#hub.size === 0) {
      this.#since = undefined;
      return;
    }
    const db = (await this.#database()).tables<ThreadTables>();
    if (this.#since === undefined) {
      this.#since = await newestChange(db);
      // What came between their first look and ours.
      for (const id of this.#hub.followed) this.#hub.tell(id);
      return;
    }
    const rows = await db
      .selectFrom("thread")
      .select(["id", "change"])
      .where("change", ">", this.#since)
      .orderBy("change")
      .limit(MAX_CHANGES)
      .execute();
    for (const { id, change } of rows) {
      this.#since = change;
      this.#hub.tell(id);
    }
  }
}

async function newestChange(db: Kysely<ThreadTables>): Promise<number> {
  const row = await db
    .selectFrom("thread")
    .select(({ fn }) => fn.max("change").as("newest"))
    .executeTakeFirst();
  return row?.newest ?? 0;
}
