import type { Kysely, Selectable } from "kysely";
import { preparedQuery } from "../../kit/prepared-query.ts";
import { digestOver, NO_DIGEST } from "./digest.ts";
import type { ThreadTables } from "./migrations.ts";

export type StoredChunk = Selectable<ThreadTables["thread_chunk"]>;

/** At once in memory: chunks that are read together. */
const PAGE_CHUNKS = 32;

/** The chunks of a thread from the one that holds record number `after + 1` on. */
export async function* chunksFrom(db: Kysely<ThreadTables>, key: number, after: number): AsyncGenerator<StoredChunk> {
  for (let chunks = await firstPage(db, { key, after }); ; ) {
    yield* chunks;
    const last = chunks.at(-1);
    if (last === undefined || chunks.length < PAGE_CHUNKS) return;
    chunks = await nextPage(db, { key, from: last.first + last.count });
  }
}

const nextPage = preparedQuery((db: Kysely<ThreadTables>, { key, from }: { key: number; from: number }) =>
  db
    .selectFrom("thread_chunk")
    .selectAll()
    .where("thread_key", "=", key)
    .where("first", ">=", from)
    .orderBy("first")
    .limit(PAGE_CHUNKS),
);

/** From the chunk that holds the record behind `after` on; from the last one where there is none. */
const firstPage = preparedQuery((db: Kysely<ThreadTables>, { key, after }: { key: number; after: number }) =>
  db
    .selectFrom("thread_chunk")
    .selectAll()
    .where("thread_key", "=", key)
    .where("first", ">=", ({ selectFrom }) =>
      selectFrom("thread_chunk as before")
        .select(({ fn, val }) => fn.coalesce(fn.max("before.first"), val(0)).as("first"))
        .where("before.thread_key", "=", key)
        .where("before.first", "<=", after),
    )
    .orderBy("first")
    .limit(PAGE_CHUNKS),
);

async function chunkAt(db: Kysely<ThreadTables>, key: number, position: number): Promise<StoredChunk | undefined> {
  const [chunk] = await lastUpTo(db, { key, position });
  return chunk;
}

const lastUpTo = preparedQuery((db: Kysely<ThreadTables>, { key, position }: { key: number; position: number }) =>
  db
    .selectFrom("thread_chunk")
    .selectAll()
    .where("thread_key", "=", key)
    .where("first", "<=", position)
    .orderBy("first", "desc")
    .limit(1),
);

/** Records behind `after`, until there are `limit` of them or `maxUnits` of text; one at least where there is one. */
export async function recordsAfter(
  db: Kysely<ThreadTables>,
  key: number,
  after: number,
  { limit, maxUnits }: { readonly limit: number; readonly maxUnits: number },
): Promise<string[]> {
  const records: string[] = [];
  let units = 0;
  for await (const { first, records: text } of chunksFrom(db, key, after)) {
    for (const record of text.split("\n").slice(Math.max(0, after - first))) {
      units += record.length;
      if (records.length >= limit || (records.length > 0 && units > maxUnits)) return records;
      records.push(record);
    }
  }
  return records;
}

/** One record, without what stands around it; numbers count from 1. */
export async function recordAt(db: Kysely<ThreadTables>, key: number, number: number): Promise<string | undefined> {
  const chunk = await chunkAt(db, key, number - 1);
  if (chunk === undefined || number > chunk.first + chunk.count) return undefined;
  const { records } = chunk;
  let from = 0;
  for (let skipped = chunk.first + 1; skipped < number; skipped++) from = records.indexOf("\n", from) + 1;
  const end = records.indexOf("\n", from);
  return end === -1 ? records.slice(from) : records.slice(from, end);
}

/** The digest up to record `version`, which the thread has to have. */
export async function digestAt(db: Kysely<ThreadTables>, key: number, version: number): Promise<string> {
  if (version === 0) return NO_DIGEST;
  const chunk = await chunkAt(db, key, version - 1);
  if (chunk === undefined) return NO_DIGEST;
  const { first, count, digest, records } = chunk;
  if (first + count === version) return digest;
  const before = first === 0 ? undefined : await chunkAt(db, key, first - 1);
  return digestOver(before?.digest ?? NO_DIGEST, records.split("\n").slice(0, version - first));
}
