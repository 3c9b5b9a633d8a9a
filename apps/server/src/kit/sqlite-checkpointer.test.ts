import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { expect, test, vi } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { connectSqlite } from "./sqlite-database.ts";

const NOTE_BYTES = 4_000;

test("what is written again and again is brought into the file beside, and the log begins anew", async () => {
  await using home = await temporaryDirectory();
  const file = join(home.path, "notes.sqlite");
  const database = await connectSqlite(file, { everyMs: 0, everySyncs: 4 });
  await database.write((db) => sql`create table note (id integer primary key, text text not null)`.execute(db));
  const before = statSync(file).size;
  let notes = 0;
  const write = async (): Promise<void> => {
    await database.writeBehind((db) =>
      sql`insert into note (text) values (${"x".repeat(NOTE_BYTES)})`.execute(db).then(() => undefined),
    );
    await database.sync();
    notes += 1;
  };
  // SQLite itself would not begin before 64 MB.
  await vi.waitFor(
    async () => {
      for (let count = 0; count < 50; count++) await write();
      expect(statSync(file).size).toBeGreaterThan(before + 50 * NOTE_BYTES);
      expect(statSync(`${file}-wal`).size).toBeLessThan(notes * NOTE_BYTES);
    },
    { timeout: 20_000 },
  );
  await database.close();
  const kept = new DatabaseSync(file);
  expect(kept.prepare("select count(*) as notes from note").get()).toEqual({ notes });
  kept.close();
});
