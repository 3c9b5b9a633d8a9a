import { DatabaseSync } from "node:sqlite";
import { Kysely, sql } from "kysely";
import { expect, test } from "vitest";
import { sqliteDialect } from "./sqlite-dialect.ts";

type Tables = { item: { id: number; value: unknown } };

function open(): Kysely<Tables> {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE item (id INTEGER PRIMARY KEY, value)");
  return new Kysely<Tables>({ dialect: sqliteDialect(database, "of the test") });
}

test.each([
  ["text", "Zürich", "Zürich"],
  ["a number", 1.5, 1.5],
  ["null", null, null],
  ["true", true, 1],
  ["false", false, 0],
  ["a date", new Date("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000Z"],
  ["bytes", Uint8Array.of(0, 255), Uint8Array.of(0, 255)],
])("%s goes in and comes out", async (_, value, expected) => {
  const db = open();
  await db.insertInto("item").values({ id: 1, value }).execute();
  expect((await db.selectFrom("item").select("value").executeTakeFirstOrThrow()).value).toEqual(expected);
  await db.destroy();
});

test("a value that SQLite cannot hold is an error and not something else in the table", async () => {
  const db = open();
  await expect(
    db
      .insertInto("item")
      .values({ id: 1, value: { a: 1 } })
      .execute(),
  ).rejects.toThrow("type object");
  await db.destroy();
});

test("changes are counted, and a RETURNING clause gives rows", async () => {
  const db = open();
  const inserted = await db
    .insertInto("item")
    .values([
      { id: 1, value: 1 },
      { id: 2, value: 2 },
    ])
    .executeTakeFirst();
  expect(inserted.numInsertedOrUpdatedRows).toBe(2n);
  expect((await db.updateTable("item").set({ value: 3 }).executeTakeFirst()).numUpdatedRows).toBe(2n);
  expect(await db.deleteFrom("item").where("id", "=", 1).returning("value").execute()).toEqual([{ value: 3 }]);
  expect((await db.deleteFrom("item").executeTakeFirst()).numDeletedRows).toBe(1n);
  await db.destroy();
});

test("rows can be streamed", async () => {
  const db = open();
  await db
    .insertInto("item")
    .values([1, 2, 3].map((id) => ({ id, value: null })))
    .execute();
  const ids = [];
  for await (const { id } of db.selectFrom("item").select("id").orderBy("id").stream()) ids.push(id);
  expect(ids).toEqual([1, 2, 3]);
  await db.destroy();
});

test("a transaction that breaks inside can be followed by another", async () => {
  const db = open();
  const broken = db.transaction().execute((transaction) => sql`SELECT nonsense`.execute(transaction));
  await expect(broken).rejects.toThrow("nonsense");
  await db.transaction().execute((transaction) => transaction.insertInto("item").values({ id: 1, value: 1 }).execute());
  expect(await db.selectFrom("item").select("id").execute()).toEqual([{ id: 1 }]);
  await db.destroy();
});
