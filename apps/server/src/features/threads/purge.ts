import type { Expression, ExpressionBuilder, Kysely, SqlBool } from "kysely";
import type { Database } from "../../kit/database.ts";
import { nextTurn } from "../../kit/next-turn.ts";
import type { PurgeParts } from "../../kit/purge.ts";
import { purgeThread, threadById, update } from "./changes.ts";
import type { ChangeContext, CommitQueue } from "./commit-queue.ts";
import type { LiveHub } from "./live-hub.ts";
import type { ThreadTables } from "./migrations.ts";
import type { ThreadRow } from "./thread-row.ts";

/** Rows that are looked at by one question. */
const SLICE = 2_000;

type Options = {
  readonly database: () => Promise<Database>;
  readonly queue: CommitQueue;
  readonly hub: Pick<LiveHub, "tell">;
  readonly now: () => number;
};

/**
 * Of a person: his threads, their links and what support was allowed. What an organization's members can read stays, as
 * nobody's: it is theirs, too. Of an organization: what is a person's stays his, for himself alone where it was there for
 * the organization or a team; nobody's threads and those of its keys go. Of a team: what was there for it is for its
 * owner alone, and where it is nobody's it goes. Of what was purged the row stays, so that its id is not taken again.
 */
export function createThreadPurge({ database, queue, hub, now }: Options): PurgeParts {
  const tables = async (): Promise<Kysely<ThreadTables>> => (await database()).tables<ThreadTables>();
  /** One after the other: others want to write, too. */
  async function each(
    ids: readonly { readonly id: string }[],
    isStill: (row: ThreadRow) => boolean,
    work: (context: ChangeContext, row: ThreadRow) => Promise<unknown>,
  ): Promise<void> {
    for (const { id } of ids) {
      await queue.commit(async (context) => {
        const row = await threadById(context.db, id);
        if (row !== undefined && isStill(row)) await work(context, row);
      });
      hub.tell(id);
    }
  }
  const time = (): string => new Date(now()).toISOString();

  return {
    async person({ id }) {
      const ids = await (await tables()).selectFrom("thread").select("id").where("owner", "=", id).execute();
      const isHis = ({ owner }: ThreadRow) => owner === id;
      await each(ids, isHis, async (context, row) => {
        const isTheirs = row.organization !== null && row.visibility !== "private";
        const stays = row.purged === 1 || (isTheirs && row.deleted_at === null);
        const kept = stays ? row : await purgeThread(context, row, time());
        await context.db.deleteFrom("thread_share").where("thread_key", "=", row.key).execute();
        await context.db.deleteFrom("thread_support_access").where("thread_key", "=", row.key).execute();
        await update(context, kept, { owner: "", support_until: null, revision: kept.revision + 1 });
      });
      // What he asked for as support.
      await (await database()).write<ThreadTables, unknown>((db) =>
        db.updateTable("thread_support_access").set({ requested_by: "" }).where("requested_by", "=", id).execute(),
      );
    },
    teams: {
      async nextAfter(team) {
        const query = (await tables()).selectFrom("thread").select("team").where("team", ">", team);
        return (await query.orderBy("team").limit(1).executeTakeFirst())?.team ?? undefined;
      },
      async purge(team) {
        const ids = await (await tables()).selectFrom("thread").select("id").where("team", "=", team).execute();
        const isIn = (row: ThreadRow) => row.team === team;
        await each(ids, isIn, async (context, row) => {
          const isLeft = row.owner === "" && row.purged === 0 && row.visibility === "team";
          const kept = isLeft ? await purgeThread(context, row, time()) : row;
          const visibility = kept.visibility === "team" ? "private" : kept.visibility;
          await update(context, kept, { team: null, visibility, revision: kept.revision + 1 });
        });
      },
    },
    async organization({ id, teams }) {
      const ids = await threadsIn(await tables(), (where) =>
        where.or([where("organization", "=", id), ...(teams.length === 0 ? [] : [where("team", "in", [...teams])])]),
      );
      const isIn = ({ organization, team }: ThreadRow) =>
        organization === id || (team !== null && teams.includes(team));
      await each(ids, isIn, async (context, row) => {
        const kept = isNobodys(row) ? await purgeThread(context, row, time()) : row;
        await update(context, kept, {
          organization: kept.organization === id ? null : kept.organization,
          team: null,
          visibility: kept.visibility === "public" ? "public" : "private",
          revision: kept.revision + 1,
        });
      });
    },
  };
}

/** Looked for in many short questions: no index leads there, and others want to be answered meanwhile. */
async function threadsIn(
  db: Kysely<ThreadTables>,
  isIn: (where: ExpressionBuilder<ThreadTables, "thread">) => Expression<SqlBool>,
): Promise<readonly { readonly id: string }[]> {
  const { newest } = await db
    .selectFrom("thread")
    .select(({ fn }) => fn.max("key").as("newest"))
    .executeTakeFirstOrThrow();
  const found: { readonly id: string }[] = [];
  for (let from = 0; from < (newest ?? 0); from += SLICE) {
    const rows = await db
      .selectFrom("thread")
      .select("id")
      .where("key", ">", from)
      .where("key", "<=", from + SLICE)
      .where(isIn)
      .execute();
    found.push(...rows);
    await nextTurn();
  }
  return found;
}

/** Left by a person who is gone, or kept by an organization's key. */
function isNobodys({ owner, purged }: ThreadRow): boolean {
  return purged === 0 && (owner === "" || owner.startsWith("key-"));
}
