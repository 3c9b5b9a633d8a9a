import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { countStatements } from "../../kit/counted-statements.testing.ts";
import type { Database } from "../../kit/database.ts";
import { engines, type TestDatabase, testDatabase } from "../../kit/engines.testing.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { type Append, appendAll } from "./appends.ts";
import { type Changed, createThread } from "./changes.ts";
import { CommitQueue } from "./commit-queue.ts";
import { readRecords } from "./incoming-records.ts";
import { News } from "./live-hub.ts";
import { migrations, type ThreadTables } from "./migrations.ts";
import { recordsAfter } from "./stored-records.ts";
import { headerOf, newThreadId, said, text } from "./threads.testing.ts";

const wish = { withRecords: false, now: Date.parse("2026-11-20T10:00:00Z") };

function appendOf(id: string, version: number, ...words: readonly string[]): Append {
  return { id, version, records: readRecords(words.map((each) => text(said(each)))), wish };
}

describe.each(engines)("on $name", (engine) => {
  let home: TestDatabase;
  let database: Database;
  let queue: CommitQueue;

  beforeEach(async () => {
    home = await testDatabase(engine, [{ feature: "threads", migrations }]);
    database = await home.open();
    queue = new CommitQueue(async () => database, Date.now);
  });

  afterEach(() => home[Symbol.asyncDispose]());

  async function make(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, newThreadId);
    const thread = { owner: "owner", organization: null };
    for (const id of ids)
      await queue.commit((context) => createThread(context, { id, ...thread }, readRecords([headerOf(id)], id), wish));
    return ids;
  }

  async function recordsOf(changed: Changed): Promise<string[]> {
    const bounds = { limit: 100, maxUnits: 1_000_000 };
    return recordsAfter(database.tables<ThreadTables>(), changed.after.key, 1, bounds);
  }

  test("appends to many threads take as many statements as appends to one", async () => {
    const ids = await make(64);
    const statementsFor = (some: readonly string[]) =>
      database.write<ThreadTables, number>(async (transaction) => {
        const { db, count } = countStatements(transaction);
        let change = 1e15;
        const nextChange = async () => ++change;
        const results = await appendAll(
          { db, nextChange },
          some.map((id) => appendOf(id, 1, "one", "two")),
        );
        expect(results.map((result) => "after" in result && result.after.version)).toEqual(some.map(() => 3));
        return count();
      });
    expect(await statementsFor(ids.slice(0, 32))).toBe(3);
    expect(await statementsFor(ids.slice(32, 33))).toBe(3);
    // 16, 4 and 1 rows of each kind: statements of few shapes are put together once.
    expect(await statementsFor(ids.slice(33, 54))).toBe(1 + 3 + 3);
  });

  test("each gets its own answer, also where several are about one thread", async () => {
    const [one = "", two = ""] = await make(2);
    const appends = [
      appendOf(one, 1, "a"),
      appendOf(two, 7, "too far"),
      appendOf(one, 2, "b", "c"),
      // The same again, before the first one is answered.
      appendOf(one, 1, "a"),
      appendOf(newThreadId(), 1, "nowhere"),
      appendOf(one, 1, "another a"),
      appendOf(two, 1, "z"),
    ];
    const results = await Promise.allSettled(appends.map((append) => queue.commitTogether(appendAll, append)));
    const told = results.map((result) => {
      if (result.status === "fulfilled") return [result.value.after.version, result.value.repeated];
      return result.reason instanceof ProblemError ? result.reason.problem.code : result.reason;
    });
    expect(told).toEqual([
      [2, false],
      "version_mismatch",
      [4, false],
      [4, true],
      "not_found",
      "version_mismatch",
      [2, false],
    ]);
    const [first, last] = [results[2], results[6]];
    if (first?.status !== "fulfilled" || last?.status !== "fulfilled") throw new Error("refused");
    expect(await recordsOf(first.value)).toEqual(["a", "b", "c"].map((words) => text(said(words))));
    expect(await recordsOf(last.value)).toEqual([text(said("z"))]);
  });
});

test("news is made into events once, however many follow", () => {
  const records = ['{"a":1}', '{"b":\r2}'];
  const made = vi.spyOn(records, "map");
  const access = { id: "T-1", owner: "ann", organization: null, team: null, visibility: "private", purged: 0 };
  const news = new News({ generation: 1, version: 4 }, records, { ...access, support_until: null, deleted_at: null });
  const expected = 'id: 1.5\ndata: {"a":1}\n\nid: 1.6\ndata: {"b": 2}\n\n';
  expect([news.events, news.events, news.events]).toEqual([expected, expected, expected]);
  expect(made).toHaveBeenCalledTimes(1);
});
