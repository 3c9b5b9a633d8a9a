import { describe, expect, it, onTestFinished } from "vitest";
import { engines, testDatabase } from "./engines.testing.ts";
import type { Migration } from "./migrations.ts";
import { rowInsertion } from "./row-insertion.ts";

type Tables = { thing: { id: number; name: string | null; at: number | null } };

const migrations: readonly Migration[] = [
  {
    name: "0001_thing",
    async up(db) {
      await db.schema
        .createTable("thing")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("name", "text")
        .addColumn("at", "bigint")
        .execute();
    },
  },
];

describe.each(engines)("rows put in together on $name", (engine) => {
  const opened = async () => {
    const test = await testDatabase(engine, [{ feature: "test", migrations }]);
    onTestFinished(() => test[Symbol.asyncDispose]());
    const database = await test.open();
    const insert = rowInsertion<Tables>(database.engine, "thing", { id: "bigint", name: "text", at: "bigint" });
    const all = () => database.tables<Tables>().selectFrom("thing").selectAll().orderBy("id").execute();
    return { database, insert, all };
  };

  it("are there as they were given", async () => {
    const { database, insert, all } = await opened();
    const names = ["", null, "it's", 'a "b" \\', "null", "1", "ä\u2028\ud83d\ude00\n", "$1 ?"];
    const rows = Array.from({ length: 300 }, (_, id) => ({
      id,
      name: names[id % names.length] ?? null,
      at: id % 3 === 0 ? null : 2 ** 52 + id,
    }));
    await database.write<Tables, void>((transaction) =>
      insert(
        transaction,
        rows.map(({ id, name, at }) => [id, name, at]),
      ),
    );
    expect(await all()).toEqual(rows);
  });

  it("are all there or none", async () => {
    const { database, insert, all } = await opened();
    const twice = database.write<Tables, void>((transaction) =>
      insert(transaction, [
        [1, "one", null],
        [2, "two", null],
        [1, "again", null],
      ]),
    );
    await expect(twice).rejects.toThrow();
    expect(await all()).toEqual([]);
  });
});
