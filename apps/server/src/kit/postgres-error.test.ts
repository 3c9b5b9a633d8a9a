import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { engines, testDatabase } from "./engines.testing.ts";

describe.each(engines.filter(({ name }) => name === "PostgreSQL"))("a server of $name", (engine) => {
  test.each([
    ["53100", "cannot grow, because the disk is full: make room", false],
    ["53200", "has no memory left: give its machine more, or lower its settings", false],
    ["XX001", "is damaged: restore it from a backup", true],
  ])(
    "that can do nothing for now (%s) says what is the matter, and the connection goes on",
    async (code, clause, isDamage) => {
      await using home = await testDatabase(engine, []);
      const database = await home.open();
      const raise = sql.raw(`do $$ begin raise exception 'x' using errcode = '${code}'; end $$`);
      const error = await raise.execute(database.tables()).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        name: "DatabaseUnavailable",
        message: `The database ${database.place} ${clause}.`,
        tells: `The database of the Loom server ${clause}.`,
        isDamage,
      });
      const { rows } = await sql<{ one: number }>`select 1 as one`.execute(database.tables());
      expect(rows).toEqual([{ one: 1 }]);
    },
  );
});
