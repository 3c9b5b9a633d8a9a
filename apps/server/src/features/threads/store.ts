import type {
  ThreadChanges,
  ThreadDigest,
  ThreadInfo,
  ThreadList,
  ThreadMessage,
  ThreadMessages,
  ThreadRecords,
} from "@loom/api";
import type { ThreadId } from "@loom/core";
import { decodeRecord } from "@loom/threads/records";
import { type Kysely, sql } from "kysely";
import type { Database } from "../../kit/database.ts";
import { type Cursor, decodeCursor, encodeCursor, pageOf } from "../../kit/paging.ts";
import { preparedQuery } from "../../kit/prepared-query.ts";
import type { Subject } from "../../kit/subject.ts";
import { presentThread, sharesOf, threadById } from "./changes.ts";
import { isTurn, messageOf } from "./messages.ts";
import type { ThreadTables } from "./migrations.ts";
import { chunksFrom, digestAt, recordsAfter } from "./stored-records.ts";
import { filtersIn, type ThreadFilters } from "./thread-filters.ts";
import { ACCESS_COLUMNS, infoOf, type ThreadAccess, type ThreadRow } from "./thread-row.ts";
import type { VisibleThreads } from "./visible-threads.ts";

/** Of one answer. */
const MAX_PAGE_UNITS = 8 * 1024 * 1024;
/** Of a tool's text in a list of messages. */
const MAX_TEXT_UNITS = 64 * 1024;

export type ThreadListOptions = ThreadFilters & {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
};

/** What is read of threads. Whether the asker may is decided before, but for lists, which hold what `visible` says. */
export type ThreadStore = {
  /** What of a thread a decision about it depends on. */
  access(id: string): Promise<ThreadAccess | undefined>;
  row(id: string): Promise<ThreadRow | undefined>;
  /** @throws ProblemError `gone`, `not_found`; so do all that follow. */
  present(id: string): Promise<ThreadRow>;
  info(id: string): Promise<ThreadInfo>;
  infoOf(row: ThreadRow): Promise<ThreadInfo>;
  records(id: string, after: number, limit: number): Promise<ThreadRecords>;
  digest(id: string, at?: number): Promise<ThreadDigest>;
  messages(id: string, from: number, limit: number): Promise<ThreadMessages>;
  list(subject: Subject, options: ThreadListOptions): Promise<ThreadList>;
  changes(
    owner: string,
    options: { readonly since?: string | undefined; readonly limit: number },
  ): Promise<ThreadChanges>;
};

const accessTo = preparedQuery((db: Kysely<ThreadTables>, { id }: { id: string }) =>
  db.selectFrom("thread").select(ACCESS_COLUMNS).where("id", "=", id),
);

export function createThreadStore(
  database: () => Promise<Database>,
  { visible, now }: { readonly visible: VisibleThreads; readonly now: () => number },
): ThreadStore {
  const tables = async (): Promise<Kysely<ThreadTables>> => (await database()).tables<ThreadTables>();
  const time = (): string => new Date(now()).toISOString();
  const present = async (id: string) => presentThread(await tables(), id);
  const infoFor = async (row: ThreadRow) =>
    infoOf({ ...row, shared: await sharesOf(await tables(), row.key, time()) }, time());
  return {
    async access(id) {
      const [access] = await accessTo(await tables(), { id });
      return access;
    },
    row: async (id) => threadById(await tables(), id),
    present,
    info: async (id) => infoFor(await present(id)),
    infoOf: infoFor,
    async records(id, after, limit) {
      const { key, version } = await present(id);
      const bounds = { limit, maxUnits: MAX_PAGE_UNITS };
      return { records: after >= version ? [] : await recordsAfter(await tables(), key, after, bounds), version };
    },
    async digest(id, at) {
      const { key, version, digest } = await present(id);
      const asked = at ?? version;
      if (asked > version) return { at: asked, digest: null, version };
      return { at: asked, digest: asked === version ? digest : await digestAt(await tables(), key, asked), version };
    },
    async messages(id, from, limit) {
      const row = await present(id);
      const messages = await messagesFrom(await tables(), row, from, limit);
      return { messages, total: row.messages, version: row.version };
    },
    async list(subject, { limit, cursor, since, until, ...filters }) {
      const db = await tables();
      let query = db
        .selectFrom("thread")
        .selectAll()
        .select((select) =>
          select
            .selectFrom("thread_share")
            .select(({ fn }) => fn.countAll<number>().as("count"))
            .whereRef("thread_share.thread_key", "=", "thread.key")
            .where("revoked_at", "is", null)
            .where((where) => where.or([where("expires_at", "is", null), where("expires_at", ">", time())]))
            .as("shared"),
        )
        .where((where) => where.and([visible(where, subject, time()), ...filtersIn(where, filters)]))
        .orderBy("updated_at", "desc")
        .orderBy("id", "desc")
        .limit(limit + 1);
      if (since !== undefined) query = query.where("updated_at", ">=", utc(since));
      if (until !== undefined) query = query.where("updated_at", "<", utc(until));
      if (cursor !== undefined) {
        const [at, id] = decodeCursor(cursor, ["string", "string"]);
        query = query.where(sql<boolean>`(updated_at, id) < (${at}, ${id})`);
      }
      const { items, nextCursor } = pageOf(await query.execute(), limit, (row): Cursor => [row.updated_at, row.id]);
      return { threads: items.map((row) => infoOf({ ...row, shared: Number(row.shared) }, time())), nextCursor };
    },
    async changes(owner, { since, limit }) {
      const db = await tables();
      const from = since === undefined ? undefined : decodeCursor(since, ["number", "string", "number"]);
      const rows = await db
        .selectFrom("thread")
        .select(["id", "version", "digest", "deleted_at", "purged", "change"])
        .where("owner", "=", owner)
        .where("change", ">", Number(from?.[0] ?? 0))
        .orderBy("change")
        .limit(limit + 1)
        .execute();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        changes: page.map(({ id, version, digest, deleted_at, purged }) => ({
          id: id as ThreadId,
          version,
          digest,
          deleted: deleted_at !== null,
          purged: purged === 1,
        })),
        cursor: encodeCursor(last === undefined ? (from ?? [0, "", 0]) : [last.change, last.id, last.version]),
        more: rows.length > limit,
        rewound: from !== undefined && (await isRewound(db, from)),
      };
    },
  };
}

/** Whether what a cursor was made behind is there no more, which happens to a database that was set back. */
async function isRewound(db: Kysely<ThreadTables>, [change, id, version]: Cursor): Promise<boolean> {
  if (change === 0) return false;
  const row = await db
    .selectFrom("thread")
    .select(["change", "version", "generation"])
    .where("id", "=", String(id))
    .executeTakeFirst();
  if (row === undefined || row.change < Number(change)) return true;
  // What is there was written after the database was set back, and by somebody who did not know of it.
  return row.version < Number(version) && row.generation === 1;
}

async function messagesFrom(
  db: Kysely<ThreadTables>,
  row: ThreadRow,
  from: number,
  limit: number,
): Promise<ThreadMessage[]> {
  const start = await db
    .selectFrom("thread_chunk")
    .select("first")
    .where("thread_key", "=", row.key)
    .where("messages", ">", from)
    .orderBy("first")
    .limit(1)
    .executeTakeFirst();
  if (start === undefined) return [];
  const before = await db
    .selectFrom("thread_chunk")
    .select(["messages", "turns"])
    .where("thread_key", "=", row.key)
    .where("first", "<", start.first)
    .orderBy("first", "desc")
    .limit(1)
    .executeTakeFirst();
  const found: ThreadMessage[] = [];
  let index = before?.messages ?? 0;
  let turn = before?.turns ?? 0;
  let units = 0;
  for await (const { first, records } of chunksFrom(db, row.key, start.first)) {
    for (const [offset, text] of records.split("\n").entries()) {
      const record = decodeRecord(text) ?? "unknown";
      if (isTurn(record)) turn += 1;
      const said = messageIn(record, text);
      if (said === undefined) continue;
      if (index >= from) {
        units += text.length;
        if (found.length > 0 && units > MAX_PAGE_UNITS) return found;
        found.push({ index, record: first + offset + 1, turn, ...said });
        if (found.length === limit) return found;
      }
      index += 1;
    }
  }
  return found;
}

function messageIn(record: Parameters<typeof messageOf>[0], text: string): ReturnType<typeof messageOf> {
  const said = messageOf(record, text);
  if (said?.role !== "tool" || said.text.length <= MAX_TEXT_UNITS) return said;
  return { ...said, text: `${said.text.slice(0, MAX_TEXT_UNITS).toWellFormed()}…` };
}

/** As times are stored. */
export function utc(time: string): string {
  return new Date(time).toISOString();
}
