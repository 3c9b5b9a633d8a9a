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

  it("are left out where they are known already, if that is asked for, and half a character is no reason to fail", async () => {
    const { database, all } = await opened();
    const columns = { id: "integer", name: "text", at: "double precision" } as const;
    const insert = rowInsertion<Tables>(database.engine, "thing", columns, { ifNew: "id" });
    for (const name of ["first \ud83d", "second"]) {
      await database.write<Tables, void>((transaction) =>
        insert(transaction, [
          [1, name, 2],
          [name.length, name, 3],
        ]),
      );
    }
    expect(await all()).toEqual([
      { id: 1, name: "first \ufffd", at: 2 },
      { id: 6, name: "second", at: 3 },
      { id: 7, name: "first \ufffd", at: 3 },
    ]);
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
