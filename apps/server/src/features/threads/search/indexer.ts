import {
  decodeRecord,
  factsText,
  MAX_TOOL_UNITS,
  outputsNamedIn,
  searchableText,
  type ThreadFacts,
  type ThreadRecord,
} from "@loom/threads/records";
import { type Kysely, sql } from "kysely";
import { isTurn } from "../messages.ts";
import type { ThreadTables } from "../migrations.ts";
import type { OutputService } from "../outputs.ts";
import { chunksFrom, digestAt, recordAt } from "../stored-records.ts";
import { factsIn, type ThreadRow } from "../thread-row.ts";
import { withOutputs } from "../told-thread.ts";
import type {
  IndexBatch,
  IndexedPassage,
  IndexedThread,
  IndexState,
  PassagePiece,
  SearchEngine,
} from "./index-types.ts";
import { type Passage, PassageReader } from "./passages.ts";
import { ByteText } from "./term-text.ts";

/** Written at once. Between two batches everybody else has a turn. */
const MAX_BATCH_UNITS = 8 * 1024 * 1024;
const MAX_BATCH_THREADS = 100;
/** Looked through without a pause. */
const MAX_TURN_UNITS = 32 * 1024;
/** Passages that are handed over at a time: between two of them, those who search have a turn. */
const MAX_PIECE_PASSAGES = 100;
/** Records of a thread that wait for their long outputs. */
const MAX_WAITING = 1_000;
/** Commits whose subjects a thread is found by. */
const MAX_SUBJECTS = 100;
const MAX_OUTPUT_BYTES = 4 * MAX_TOOL_UNITS;

/** Every passage counts in the frequencies of terms at first; later one of so many, and that many times. */
const ALL_COUNT = 1_024;
const SAMPLE = 64;

export type IndexerParts = {
  readonly tables: () => Promise<Kysely<ThreadTables>>;
  readonly engine: SearchEngine;
  readonly outputs: Pick<OutputService, "read">;
};

/**
 * Brings the index to what the threads hold: reads what is new, some of it at a time, and writes it together with how far
 * that was, so that a kill costs a batch or two. While one batch is written, the next one is made.
 */
export async function indexAll(parts: IndexerParts, signal?: AbortSignal): Promise<void> {
  const db = await parts.tables();
  let seen = await look(parts, db, await parts.engine.state(), []);
  let writing: Promise<boolean> | undefined;
  while (signal?.aborted !== true) {
    const batch = seen.rows.length === 0 ? undefined : await makeBatch({ ...parts, db }, seen);
    // Where another has written meanwhile, the next batch begins with what that one knows.
    const isCurrent = writing === undefined || (await writing);
    writing = undefined;
    if (!isCurrent) seen = await look(parts, db, await parts.engine.state(), []);
    else if (batch === undefined) return;
    else {
      // Before the write: the engine answers one after the other.
      seen = await look(parts, db, { ...batch.state, revision: batch.revision + 1 }, batch.threads);
      writing = parts.engine.write(batch);
      // It is waited for above; until then, nobody else listens.
      writing.catch(() => undefined);
    }
  }
  await writing;
}

/** Threads that have changed since a state of the index, and what the index knows of them. */
type Seen = {
  readonly state: IndexState;
  readonly rows: readonly ThreadRow[];
  readonly known: ReadonlyMap<number, IndexedThread>;
  /** The newest commits of these threads that say something. */
  readonly commits: ReadonlyMap<number, ThreadFacts["commits"]>;
  /** Of those that the index knows, the digest up to there. */
  readonly digests: ReadonlyMap<number, string>;
};

/** `newer`: what the index is about to know. */
async function look(
  { engine }: IndexerParts,
  db: Kysely<ThreadTables>,
  state: IndexState,
  newer: readonly IndexedThread[],
): Promise<Seen> {
  const rows = await db
    .selectFrom("thread")
    .selectAll()
    .where("change", ">", state.change)
    .orderBy("change")
    .limit(MAX_BATCH_THREADS)
    .execute();
  const keys = rows.map(({ key }) => key);
  const known = new Map(await engine.indexed(keys));
  for (const thread of newer) known.set(thread.key, thread);
  const commits = await commitsOf(db, keys);
  const digests = await digestsAt(
    db,
    keys.flatMap((key) => known.get(key) ?? []),
  );
  return { state, rows, known, commits, digests };
}

/** The digests of threads where the index knows them up to, unless no chunk ends there. */
async function digestsAt(
  db: Kysely<ThreadTables>,
  threads: readonly IndexedThread[],
): Promise<ReadonlyMap<number, string>> {
  if (threads.length === 0) return new Map();
  const asked = threads.map(({ key, version }) => sql`(cast(${key} as bigint), cast(${version} as bigint))`);
  const { rows } = await sql<{ key: number; digest: string }>`
    with asked (key, version) as (values ${sql.join(asked)})
    select asked.key as key, chunk.digest as digest from asked join thread_chunk as chunk
      on chunk.thread_key = asked.key and chunk.first + chunk.count = asked.version
      and chunk.first = (select max(earlier.first) from thread_chunk as earlier
        where earlier.thread_key = asked.key and earlier.first < asked.version)
  `.execute(db);
  return new Map(rows.map(({ key, digest }) => [key, digest]));
}

async function commitsOf(
  db: Kysely<ThreadTables>,
  keys: readonly number[],
): Promise<ReadonlyMap<number, ThreadFacts["commits"]>> {
  const commits = new Map<number, { sha: string; at: string; subject: string }[]>();
  if (keys.length === 0) return commits;
  const rows = await db
    .with("said", (said) =>
      said
        .selectFrom("thread_commit")
        .select(["thread_key", "sha", "at", "subject"])
        .select(({ fn }) =>
          fn
            .agg<number>("row_number")
            .over((over) => over.partitionBy("thread_key").orderBy("at", "desc").orderBy("sha"))
            .as("place"),
        )
        .where("thread_key", "in", keys)
        .where("subject", "<>", ""),
    )
    .selectFrom("said")
    .select(["thread_key", "sha", "at", "subject"])
    .where("place", "<=", MAX_SUBJECTS)
    .orderBy("thread_key")
    .orderBy("place")
    .execute();
  for (const { thread_key: key, ...commit } of rows) commits.set(key, [...(commits.get(key) ?? []), commit]);
  return commits;
}

async function makeBatch(parts: Parts, seen: Seen): Promise<IndexBatch> {
  const { state, rows, known, commits, digests } = seen;
  const batch = new BatchWriter(state);
  let { change } = state;
  for (const row of rows) {
    const isDone = await addThread(parts, batch, {
      row,
      before: known.get(row.key),
      commits: commits.get(row.key) ?? [],
      digest: digests.get(row.key),
    });
    if (isDone) change = row.change;
    if (!isDone || batch.isFull) break;
  }
  return batch.done(change);
}

type Parts = Pick<IndexerParts, "outputs"> & { readonly db: Kysely<ThreadTables> };

/** A thread as it is, as the index knows it, its newest commits, and its digest up to where the index knows it. */
type Grown = {
  readonly row: ThreadRow;
  readonly before: IndexedThread | undefined;
  readonly commits: ThreadFacts["commits"];
  readonly digest: string | undefined;
};

/** What is new in one thread, as far as it fits. False: there is more. */
async function addThread(parts: Parts, batch: BatchWriter, grown: Grown): Promise<boolean> {
  const { row, before, commits } = grown;
  const { db } = parts;
  let known = before;
  if (known !== undefined && !(await isSame(db, known, grown))) {
    batch.drop(known);
    known = undefined;
  }
  if (row.purged === 1) return true;
  const waiting = new Set<number>(known === undefined ? [] : JSON.parse(known.waiting));
  for (const record of waiting) {
    const text = await recordAt(db, row.key, record);
    const decoded = decodeRecord(text ?? "") ?? "unknown";
    if (text === undefined || (await addRecord(parts, batch, row, { text, decoded, record, turn: 0 })))
      waiting.delete(record);
  }
  const facts = factsIn(row);
  let { version, digest, messages, turns } = known ?? { version: 0, digest: "", messages: 0, turns: 0 };
  // An answer that is still coming in is many records, and none of them is a message: they need not be read.
  if (known?.messages === row.messages) {
    ({ version, digest } = row);
    ({ turns } = facts);
  }
  for await (const chunk of version < row.version ? chunksFrom(db, row.key, version) : []) {
    if (version >= row.version || batch.isFull) break;
    for (const [index, text] of chunk.records.split("\n").entries()) {
      const record = chunk.first + index + 1;
      // They may have come in other portions than before.
      if (record <= version) continue;
      const decoded = decodeRecord(text) ?? "unknown";
      if (isTurn(decoded)) turns += 1;
      const isWhole = await addRecord(parts, batch, row, { text, decoded, record, turn: turns });
      if (!isWhole && waiting.size < MAX_WAITING) waiting.add(record);
    }
    version = chunk.first + chunk.count;
    ({ digest, messages } = chunk);
    await batch.pause(chunk.records.length);
  }
  const title = factsText({ ...facts, commits });
  const titleKey = batch.retitle(row, known, title);
  const place = { key: row.key, id: row.id, generation: row.generation, version, digest, messages, turns };
  batch.threads.push({ ...place, titleKey, title, waiting: JSON.stringify([...waiting]) });
  return version >= row.version;
}

/** Whether what the index knows of a thread still holds: threads grow at their end, unless they are replaced. */
async function isSame(db: Kysely<ThreadTables>, known: IndexedThread, { row, digest }: Grown): Promise<boolean> {
  if (row.purged === 1 || known.id !== row.id || known.generation !== row.generation) return false;
  return known.version <= row.version && (digest ?? (await digestAt(db, row.key, known.version))) === known.digest;
}

type Incoming = {
  readonly text: string;
  readonly decoded: ThreadRecord | "unknown";
  readonly record: number;
  readonly turn: number;
};

/** False where a long output of the record is not here yet; then nothing of it is added. */
async function addRecord(
  { outputs }: Parts,
  batch: BatchWriter,
  { key }: ThreadRow,
  { text, decoded, record, turn }: Incoming,
): Promise<boolean> {
  if (decoded === "unknown" || decoded.type === "thread") return true;
  const names = outputsNamedIn(text);
  for (const name of names) {
    if ((await outputs.read(key, name, 1)) === undefined) return false;
  }
  const whole = names.length === 0 ? decoded : await withOutputs(decoded, text, key, outputs, MAX_OUTPUT_BYTES);
  const said = searchableText(whole);
  if (said !== undefined) batch.add({ thread: key, record, turn, role: said.role, at: decoded.at }, said.text);
  return true;
}

type Place = Pick<IndexedPassage, "thread" | "record" | "turn" | "role" | "at">;

class BatchWriter {
  readonly threads: IndexedThread[] = [];
  readonly #state: IndexState;
  readonly #dropped: number[] = [];
  readonly #droppedPassages: number[] = [];
  readonly #pieces: PassagePiece[] = [];
  readonly #reader = new PassageReader();
  readonly #texts = new ByteText();
  readonly #frequencies = new Map<string, number>();
  #passages: IndexedPassage[] = [];
  #nextKey: number;
  #terms = 0;
  #units = 0;
  #unitsInTurn = 0;

  constructor(state: IndexState) {
    this.#state = state;
    this.#nextKey = state.nextKey;
  }

  get isFull(): boolean {
    return this.#units >= MAX_BATCH_UNITS;
  }

  /** Terms take their time to make: after so much text, others have a turn. */
  async pause(units: number): Promise<void> {
    this.#unitsInTurn += units;
    if (this.#unitsInTurn < MAX_TURN_UNITS) return;
    this.#unitsInTurn = 0;
    await new Promise(setImmediate);
  }

  drop({ key }: IndexedThread): void {
    this.#dropped.push(key);
  }

  add(place: Place, text: string): void {
    this.#units += text.length;
    this.#reader.read(text, (passage) => this.#addPassage(place, passage));
  }

  /** The passage of the title and the like; another one where they have changed. `null`: there is nothing to say. */
  retitle(row: ThreadRow, known: IndexedThread | undefined, title: string): number | null {
    if (known !== undefined && known.title === title) return known.titleKey;
    if (known !== undefined && known.titleKey !== null) this.#droppedPassages.push(known.titleKey);
    const place = { thread: row.key, record: 0, turn: 0, role: "title", at: row.updated_at };
    let key: number | null = null;
    this.#reader.read(title, (passage) => {
      key ??= this.#addPassage(place, passage);
    });
    return key;
  }

  #addPassage(place: Place, { body, names }: Passage): number {
    const key = this.#nextKey++;
    const length = body.terms;
    const atMs = Date.parse(place.at);
    const texts = this.#texts;
    const begin = texts.byteLength;
    texts.add(body.bytes);
    const namesAt = texts.byteLength;
    texts.add(names.bytes);
    const repeatsAt = texts.byteLength;
    body.writeRepeats(texts);
    this.#passages.push({
      ...place,
      key,
      atMs: Number.isNaN(atMs) ? 0 : atMs,
      length,
      body: begin,
      names: namesAt,
      repeats: repeatsAt,
      end: texts.byteLength,
    });
    if (this.#passages.length >= MAX_PIECE_PASSAGES) this.#closePiece();
    this.#terms += length;
    const weight = key <= ALL_COUNT ? 1 : key % SAMPLE === 0 ? SAMPLE : 0;
    if (weight > 0) {
      for (const term of new Set([...body.distinct(), ...names.distinct()])) {
        this.#frequencies.set(term, (this.#frequencies.get(term) ?? 0) + weight);
      }
    }
    return key;
  }

  #closePiece(): void {
    if (this.#passages.length > 0) this.#pieces.push({ passages: this.#passages, bytes: this.#texts.toBytes() });
    this.#passages = [];
    this.#texts.clear();
  }

  done(change: number): IndexBatch {
    const { revision, passages, terms, nextKey } = this.#state;
    this.#closePiece();
    return {
      revision,
      state: {
        passages: passages + this.#nextKey - nextKey,
        terms: terms + this.#terms,
        nextKey: this.#nextKey,
        change,
      },
      dropped: this.#dropped,
      droppedPassages: this.#droppedPassages,
      pieces: this.#pieces,
      threads: this.threads,
      frequencies: [...this.#frequencies],
    };
  }
}
