import { expect, test } from "vitest";
import { countStatements } from "../../../kit/counted-statements.testing.ts";
import { engines, sqlite, testDatabase } from "../../../kit/engines.testing.ts";
import { appendAll } from "../appends.ts";
import { createThread } from "../changes.ts";
import { CommitQueue } from "../commit-queue.ts";
import { readRecords } from "../incoming-records.ts";
import { migrations, type ThreadTables } from "../migrations.ts";
import { AT, headerOf, newThreadId, said, text } from "../threads.testing.ts";
import type { SearchEngine } from "./index-types.ts";
import { indexAll } from "./indexer.ts";
import { openPostgresEngine } from "./postgres-engine.ts";
import { openSqliteEngine } from "./sqlite-engine.ts";

const wish = { withRecords: false, now: Date.parse(AT) };

test.each(engines)("on $name, answers that are still coming in are not read by the index", async (engine) => {
  await using home = await testDatabase(engine, [{ feature: "threads", migrations }]);
  const database = await home.open();
  const index =
    engine.name === sqlite.name ? await openSqliteEngine(database.place) : await openPostgresEngine(database);
  const queue = new CommitQueue(async () => database, Date.now);
  const ids = Array.from({ length: 20 }, newThreadId);
  for (const id of ids) {
    const records = readRecords([headerOf(id), text(said("words"))], id);
    await queue.commit((context) => createThread(context, { id, owner: "owner", organization: null }, records, wish));
  }
  const { db, count } = countStatements(database.tables<ThreadTables>());
  const parts = { tables: async () => db, engine: index, outputs: { read: async () => undefined } };
  await indexAll(parts);
  const whole = await index.state();
  expect(whole.passages).toBe(20);
  const delta = { type: "text_delta" as const, index: 0, text: "more" };
  const piece = text({ type: "event", at: AT, event: { type: "llm_event", requestId: 1, event: delta } });
  for (let version = 2; version < 7; version++) {
    const appends = ids.map((id) => ({ id, version, records: readRecords([piece]), wish }));
    await Promise.all(appends.map((append) => queue.commitTogether(appendAll, append)));
  }
  const before = count();
  await indexAll(parts);
  // What has changed, its commits, its digests; and that nothing more has.
  expect(count() - before).toBe(4);
  const known = [...(await index.indexed(ids.map((_, key) => key + 1))).values()];
  expect(known.map(({ version, messages, turns }) => [version, messages, turns])).toEqual(ids.map(() => [7, 1, 1]));
  const records = readRecords([text(said("the end"))]);
  await queue.commitTogether(appendAll, { id: ids[0] ?? "", version: 7, records, wish });
  await indexAll(parts);
  expect((await index.state()).passages).toBe(21);
  await index.close();
});

test("what each batch leaves in the index is merged when nothing more comes, also by who opens it next", async () => {
  await using home = await testDatabase(sqlite, [{ feature: "threads", migrations }]);
  const database = await home.open();
  const queue = new CommitQueue(async () => database, Date.now);
  const tables = async () => database.tables<ThreadTables>();
  const outputs = { read: async () => undefined };
  const write = async (engine: SearchEngine, threads: number): Promise<void> => {
    for (let made = 0; made < threads; made++) {
      const id = newThreadId();
      const records = readRecords([headerOf(id), text(said(`the same words and number${made}`))], id);
      await queue.commit((context) => createThread(context, { id, owner: "owner", organization: null }, records, wish));
      await indexAll({ tables, engine, outputs });
    }
  };
  const segments = async ({ rows }: SearchEngine): Promise<unknown> =>
    (
      await rows<{ segments: number }>({
        sql: "SELECT count(DISTINCT segid) AS segments FROM search_text_idx",
        parameters: [],
      })
    )[0]?.segments;
  const found = async ({ rows }: SearchEngine): Promise<unknown> =>
    rows({
      sql: "SELECT rowid FROM search_text WHERE search_text MATCH ? ORDER BY rowid DESC",
      parameters: ['"same words"'],
    });
  const first = await openSqliteEngine(database.place);
  await write(first, 20);
  expect(await segments(first)).toBe(20);
  const before = await found(first);
  await first.tidy(() => true);
  expect(await segments(first)).toBe(20);
  await first.close();
  const second = await openSqliteEngine(database.place);
  await second.tidy(() => false);
  expect(await segments(second)).toBe(1);
  expect(await found(second)).toEqual(before);
  // A few are left as they are.
  await write(second, 5);
  await second.tidy(() => false);
  expect(await segments(second)).toBe(6);
  await second.close();
});
