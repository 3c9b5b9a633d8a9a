import type { Kysely } from "kysely";
import { preparedList, preparedRows } from "../../kit/prepared-query.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import {
  asPresent,
  bytesOf,
  type Changed,
  type CopyWish,
  commitsOf,
  conflict,
  endColumns,
  holds,
  insertChunks,
  insertCommits,
  narrowed,
  refusePrivate,
  repeated,
  says,
} from "./changes.ts";
import { chunksOf } from "./chunks.ts";
import type { ChangeContext, Together } from "./commit-queue.ts";
import { foldRecords, type IncomingRecord } from "./incoming-records.ts";
import type { ThreadTables } from "./migrations.ts";
import { columnsOf, factsIn, THREAD_COLUMNS, type ThreadRow } from "./thread-row.ts";

/** Records to go behind `version` of a thread. */
export type Append = {
  readonly id: string;
  readonly version: number;
  readonly records: readonly IncomingRecord[];
  readonly wish: CopyWish;
};

/**
 * Appends records to threads; where they stand there already, there is nothing to do. All together take three statements,
 * however many there are: a running turn is told in small pieces, and many turns run at once.
 */
export const appendAll: Together<Append, Changed> = async (context, appends) => {
  const unit = new AppendUnit(context, await rowsOf(context.db, new Set(appends.map(({ id }) => id))));
  const results: (Changed | ProblemError)[] = [];
  for (const append of appends) {
    try {
      results.push(await unit.append(append));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      results.push(error);
    }
  }
  await unit.write();
  return results;
};

async function rowsOf(db: Kysely<ThreadTables>, ids: ReadonlySet<string>): Promise<Map<string, ThreadRow>> {
  const rows = await rowsWithIds(db, [...ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

const rowsWithIds = preparedList((db: Kysely<ThreadTables>, ids) =>
  db.selectFrom("thread").selectAll().where("id", "in", ids),
);

/** Threads as they are going to be, and what is still to be written for that. */
class AppendUnit {
  readonly #context: ChangeContext;
  readonly #rows: Map<string, ThreadRow>;
  #changed = new Map<string, ThreadRow>();
  #chunks: ThreadTables["thread_chunk"][] = [];
  #commits: ThreadTables["thread_commit"][] = [];

  constructor(context: ChangeContext, rows: Map<string, ThreadRow>) {
    this.#context = context;
    this.#rows = rows;
  }

  /** @throws ProblemError; then nothing of this one is going to be written. */
  async append({ id, version, records, wish }: Append): Promise<Changed> {
    const { db, nextChange } = this.#context;
    const before = asPresent(this.#rows.get(id), id);
    if (before.version !== version) {
      await this.write();
      if (await holds(db, before, version, records)) return repeated(before);
      throw await conflict(db, before, wish);
    }
    const known = factsIn(before);
    const facts = foldRecords(known, records);
    refusePrivate(facts);
    const { key } = before;
    const { chunks, end } = chunksOf(records, {
      version,
      digest: before.digest,
      messages: before.messages,
      turns: known.turns,
    });
    const after: ThreadRow = {
      ...before,
      ...endColumns(end),
      ...columnsOf(facts),
      bytes: before.bytes + bytesOf(records),
      ...(says(records, "deleted") ? { deleted_at: facts.deletedAt ?? null } : {}),
      ...narrowed(before, facts.visibility, records),
      change: await nextChange(),
    };
    this.#rows.set(id, after);
    this.#changed.set(id, after);
    for (const chunk of chunks) this.#chunks.push({ thread_key: key, ...chunk });
    this.#commits.push(...commitsOf(key, facts, known.git));
    return { before, after, repeated: false };
  }

  async write(): Promise<void> {
    const { db } = this.#context;
    const [rows, chunks, commits] = [[...this.#changed.values()], this.#chunks, this.#commits];
    this.#changed = new Map();
    this.#chunks = [];
    this.#commits = [];
    await updateRows(db, rows);
    await insertChunks(db, chunks);
    await insertCommits(db, commits);
  }
}

/** Of rows, the columns that an append may change. All of these threads are there: the insertion always becomes an update. */
const updateRows = preparedRows<ThreadTables, ThreadRow>(THREAD_COLUMNS, (db, rows) =>
  db
    .insertInto("thread")
    .values(rows)
    .onConflict((conflicting) =>
      conflicting.column("id").doUpdateSet(({ ref }) => ({
        version: ref("excluded.version"),
        digest: ref("excluded.digest"),
        bytes: ref("excluded.bytes"),
        messages: ref("excluded.messages"),
        visibility: ref("excluded.visibility"),
        revision: ref("excluded.revision"),
        facts: ref("excluded.facts"),
        updated_at: ref("excluded.updated_at"),
        deleted_at: ref("excluded.deleted_at"),
        workspace: ref("excluded.workspace"),
        remote: ref("excluded.remote"),
        tags: ref("excluded.tags"),
        models: ref("excluded.models"),
        pinned: ref("excluded.pinned"),
        change: ref("excluded.change"),
      })),
    ),
);
