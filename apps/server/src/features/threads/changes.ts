import type { ThreadConflict, ThreadVisibility } from "@loom/api";
import type { JsonObject } from "@loom/core";
import type { ThreadFacts } from "@loom/threads/records";
import { type Kysely, sql } from "kysely";
import { preparedQuery, preparedRows } from "../../kit/prepared-query.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { chunksOf, type Ending } from "./chunks.ts";
import type { ChangeContext } from "./commit-queue.ts";
import { digestOver, NO_DIGEST } from "./digest.ts";
import { foldRecords, type IncomingRecord } from "./incoming-records.ts";
import type { ThreadTables } from "./migrations.ts";
import { digestAt, recordsAfter } from "./stored-records.ts";
import { columnsOf, infoOf, isNarrower, THREAD_COLUMNS, type ThreadRow } from "./thread-row.ts";

/** What has come of a change. */
export type Changed = {
  /** What was there before; `undefined` for a thread that was made. */
  readonly before: ThreadRow | undefined;
  readonly after: ThreadRow;
  /** Nothing was to be done: the same had been asked before. */
  readonly repeated: boolean;
};

/** What is sent along with "somebody else changed it". `now`: milliseconds since 1970. */
export type CopyWish = { readonly withRecords: boolean; readonly now: number };

const NOTHING: Ending = { version: 0, digest: NO_DIGEST, messages: 0, turns: 0 };
/** Of the copy that comes with a conflict. */
const MAX_COPY_UNITS = 8 * 1024 * 1024;

export async function threadById(db: Kysely<ThreadTables>, id: string): Promise<ThreadRow | undefined> {
  const [row] = await rowWithId(db, { id });
  return row;
}

const rowWithId = preparedQuery((db: Kysely<ThreadTables>, { id }: { id: string }) =>
  db.selectFrom("thread").selectAll().where("id", "=", id),
);

const newestKey = preparedQuery((db: Kysely<ThreadTables>) =>
  db.selectFrom("thread").select(({ fn }) => fn.max("key").as("key")),
);

const insertThread = preparedRows<ThreadTables, ThreadRow>(THREAD_COLUMNS, (db, rows) =>
  db.insertInto("thread").values(rows),
);

/** The thread, which somebody has found to be there. @throws ProblemError `gone`, `not_found` */
export async function presentThread(db: Kysely<ThreadTables>, id: string): Promise<ThreadRow> {
  return asPresent(await threadById(db, id), id);
}

/** @throws ProblemError `gone`, `not_found` */
export function asPresent(row: ThreadRow | undefined, id: string): ThreadRow {
  if (row === undefined) throw new ProblemError("not_found", "There is no such thread.");
  if (row.purged === 1) throw goneForGood(id);
  return row;
}

function goneForGood(id: string): ProblemError {
  return new ProblemError("gone", `The thread ${id} was removed for good: it cannot be made again.`);
}

/** Makes a thread. To make it twice with the same records is the same as once. */
export async function createThread(
  context: ChangeContext,
  thread: { readonly id: string; readonly owner: string; readonly organization: string | null },
  records: readonly IncomingRecord[],
  wish: CopyWish,
): Promise<Changed> {
  const { db } = context;
  const existing = await threadById(db, thread.id);
  if (existing !== undefined) {
    if (existing.purged === 1) throw goneForGood(thread.id);
    if (await holds(db, existing, 0, records)) return repeated(existing);
    throw await conflict(db, existing, wish);
  }
  const facts = foldRecords(undefined, records);
  refusePrivate(facts);
  const [newest] = await newestKey(db, {});
  const key = (newest?.key ?? 0) + 1;
  const { chunks, end } = chunksOf(records, NOTHING);
  const row: ThreadRow = {
    ...thread,
    key,
    team: null,
    visibility: "private",
    support_until: null,
    version: end.version,
    digest: end.digest,
    bytes: bytesOf(records),
    messages: end.messages,
    generation: 1,
    revision: 0,
    ...columnsOf(facts),
    deleted_at: facts.deletedAt ?? null,
    purged: 0,
    change: await context.nextChange(),
  };
  await insertThread(db, [row]);
  await insertChunks(db, rowsOf(key, chunks));
  await insertCommits(db, commitsOf(key, facts));
  return { before: undefined, after: row, repeated: false };
}

/** Puts other records in the place of all that a thread has. */
export async function replaceThread(
  context: ChangeContext,
  id: string,
  version: number,
  records: readonly IncomingRecord[],
  wish: CopyWish,
): Promise<Changed> {
  const { db } = context;
  const before = await presentThread(db, id);
  if (before.version === records.length && (await holds(db, before, 0, records))) return repeated(before);
  if (before.version !== version) throw await conflict(db, before, wish);
  const facts = foldRecords(undefined, records);
  refusePrivate(facts);
  const { chunks, end } = chunksOf(records, NOTHING);
  const after = await update(context, before, {
    ...endColumns(end),
    ...columnsOf(facts),
    bytes: bytesOf(records),
    generation: before.generation + 1,
    deleted_at: facts.deletedAt ?? null,
    ...narrowed(before, facts.visibility, records),
  });
  await db.deleteFrom("thread_chunk").where("thread_key", "=", before.key).execute();
  await db.deleteFrom("thread_commit").where("thread_key", "=", before.key).execute();
  await insertChunks(db, rowsOf(before.key, chunks));
  await insertCommits(db, commitsOf(before.key, facts));
  return { before, after, repeated: false };
}

export function endColumns({ version, digest, messages }: Ending) {
  return { version, digest, messages };
}

/** A narrower visibility that the records ask for holds at once; a wider one is asked for by itself. */
export function narrowed(before: ThreadRow, wanted: ThreadVisibility, records: readonly IncomingRecord[]) {
  if (!says(records, "visibility") || !isNarrower(wanted, before.visibility as ThreadVisibility)) return {};
  return { visibility: wanted, revision: before.revision + 1 };
}

export function says(records: readonly IncomingRecord[], what: "deleted" | "visibility"): boolean {
  return records.some(({ record }) => record !== "unknown" && record.type === "metadata" && record[what] !== undefined);
}

/** Changes columns of a thread; its place among all changes is a new one. */
export async function update(
  { db, nextChange }: ChangeContext,
  before: ThreadRow,
  columns: Partial<ThreadRow>,
): Promise<ThreadRow> {
  const changed = { ...columns, change: await nextChange() };
  await db.updateTable("thread").set(changed).where("key", "=", before.key).execute();
  return { ...before, ...changed };
}

/** Whether the thread holds just these records behind `from`, perhaps with others behind them. */
export async function holds(
  db: Kysely<ThreadTables>,
  row: ThreadRow,
  from: number,
  records: readonly IncomingRecord[],
): Promise<boolean> {
  const to = from + records.length;
  if (row.version < to) return false;
  const before = await digestAt(db, row.key, from);
  const texts = records.map(({ text }) => text);
  return digestOver(before, texts) === (to === row.version ? row.digest : await digestAt(db, row.key, to));
}

export function repeated(row: ThreadRow): Changed {
  return { before: row, after: row, repeated: true };
}

/** "Somebody else changed it", with what is there now. */
export async function conflict(db: Kysely<ThreadTables>, row: ThreadRow, wish: CopyWish): Promise<ProblemError> {
  const now = new Date(wish.now).toISOString();
  const thread = infoOf({ ...row, shared: await sharesOf(db, row.key, now) }, now);
  const copy = wish.withRecords
    ? { records: await recordsAfter(db, row.key, 0, { limit: row.version, maxUnits: MAX_COPY_UNITS }) }
    : {};
  const extensions: ThreadConflict = { version: row.version, digest: row.digest, thread, ...copy };
  return new ProblemError("version_mismatch", `The thread ${row.id} has version ${row.version} by now.`, {
    headers: { etag: etagOf(row) },
    extensions: extensions as unknown as JsonObject,
  });
}

/** The version, and what has changed since without a record. */
export function etagOf({ version, revision }: Pick<ThreadRow, "version" | "revision">): string {
  return revision === 0 ? `"${version}"` : `"${version}-${revision}"`;
}

/** How many links lead to a thread now: none or one. */
export async function sharesOf(db: Kysely<ThreadTables>, key: number, now: string): Promise<number> {
  const row = await db
    .selectFrom("thread_share")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("thread_key", "=", key)
    .where("revoked_at", "is", null)
    .where((where) => where.or([where("expires_at", "is", null), where("expires_at", ">", now)]))
    .executeTakeFirst();
  return row?.count ?? 0;
}

export function refusePrivate(facts: ThreadFacts): void {
  if (!facts.private) return;
  throw new ProblemError("thread_private", "The thread says that it is private: the server does not take it.", {
    errors: [{ field: "records", message: "make the thread private" }],
  });
}

export function bytesOf(records: readonly IncomingRecord[]): number {
  return records.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
}

function rowsOf(key: number, chunks: ReturnType<typeof chunksOf>["chunks"]): ThreadTables["thread_chunk"][] {
  return chunks.map((chunk) => ({ thread_key: key, ...chunk }));
}

export const insertChunks = preparedRows<ThreadTables, ThreadTables["thread_chunk"]>(
  ["thread_key", "first", "count", "digest", "messages", "turns", "records"],
  (db, chunks) => db.insertInto("thread_chunk").values(chunks),
);

/** Those that the thread has already are left as they are. */
export const insertCommits = preparedRows<ThreadTables, ThreadTables["thread_commit"]>(
  ["thread_key", "sha", "at", "subject"],
  (db, commits) =>
    db
      .insertInto("thread_commit")
      .values(commits)
      .onConflict((conflicting) => conflicting.doNothing()),
);

/** What a thread is found by: the commits that were made in it, and those that its repository stood at, unless `known`. */
export function commitsOf(
  key: number,
  { commits, git, updatedAt }: ThreadFacts,
  known: ThreadFacts["git"] = {},
): ThreadTables["thread_commit"][] {
  const heads = [git.firstCommit, git.commit].flatMap((sha) => {
    const isKnown = sha === undefined || sha === known.firstCommit || sha === known.commit;
    return isKnown || commits.some((commit) => commit.sha === sha) ? [] : [{ sha, at: updatedAt, subject: "" }];
  });
  return [...commits, ...heads].map(({ sha, at, subject }) => ({
    thread_key: key,
    sha,
    at,
    subject: subject.slice(0, 500).toWellFormed(),
  }));
}

/** Removes all content of a thread; what stays says that it was here. */
export async function purgeThread(context: ChangeContext, before: ThreadRow, now: string): Promise<ThreadRow> {
  const { db } = context;
  const { key } = before;
  const emptied = await update(context, before, {
    ...emptyColumns(before),
    deleted_at: before.deleted_at ?? now,
    generation: before.generation + 1,
  });
  const outputs = await db.selectFrom("thread_output").select("sha256").where("thread_key", "=", key).execute();
  for (const table of [
    "thread_chunk",
    "thread_commit",
    "thread_output",
    "thread_share",
    "thread_support_access",
  ] as const) {
    await db.deleteFrom(table).where("thread_key", "=", key).execute();
  }
  for (const { sha256 } of outputs) await dropOutputIfUnused(db, sha256);
  return emptied;
}

/** Of what the facts said, only when the thread was made: that is in its id. */
function emptyColumns({ id, version, digest }: ThreadRow): Partial<ThreadRow> {
  const facts = { id, version, createdAt: "", updatedAt: "", workspace: "", loomVersion: "", title: "" };
  const rest = { named: false, tags: [], pinned: false, visibility: "private", private: false, models: [], turns: 0 };
  return {
    purged: 1,
    version,
    digest,
    visibility: "private",
    support_until: null,
    bytes: 0,
    messages: 0,
    facts: JSON.stringify({ ...facts, ...rest, totals: {}, git: {}, commits: [] }),
    workspace: "",
    remote: null,
    tags: "[]",
    models: "[]",
    pinned: 0,
  };
}

async function dropOutputIfUnused(db: Kysely<ThreadTables>, sha256: string): Promise<void> {
  const used = await db
    .selectFrom("thread_output")
    .select(sql<number>`1`.as("one"))
    .where("sha256", "=", sha256)
    .limit(1)
    .executeTakeFirst();
  if (used === undefined) await db.deleteFrom("thread_output_part").where("sha256", "=", sha256).execute();
}
