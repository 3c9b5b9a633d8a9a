import { existsSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import type { Database } from "./database.ts";
import { connectSqlite } from "./sqlite-database.ts";

const NOTE = "x".repeat(4_000);
/** Far below what SQLite waits for until it does it by itself. */
const FEW = 200;

describe("the write-ahead log of a database", () => {
  let directory: string;
  let file: string;
  let database: Database;

  beforeEach(async () => {
    const home = await temporaryDirectory();
    onTestFinished(() => home[Symbol.asyncDispose]());
    directory = home.path;
    file = join(directory, "notes.sqlite");
    database = await connectSqlite(file, { everyMs: 0, everyCommits: 4 });
    // Where a test has closed it already, that is no reason to wait.
    onTestFinished(() => database.close());
    await database.write((db) => sql`create table note (id integer primary key, text text not null)`.execute(db));
  });

  const write = (): Promise<void> =>
    database.writeBehind((db) => sql`insert into note (text) values (${NOTE})`.execute(db).then(() => undefined));

  async function writeSome(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await write();
  }

  test("is brought into the file beside those who write", async () => {
    await writeSome(FEW);
    await expect.poll(() => statSync(file).size, { timeout: 20_000 }).toBeGreaterThan((FEW / 2) * NOTE.length);
    await database.close();
    const kept = new DatabaseSync(file);
    expect(kept.prepare("select count(*) as notes from note").get()).toEqual({ notes: FEW });
    kept.close();
  });

  test("is not kept from whoever reads for long, and keeps nobody from writing", async () => {
    const reader = new DatabaseSync(file);
    reader.exec("begin");
    const before = reader.prepare("select count(*) as notes from note").get();
    // Without patience: a single lock would be an error.
    await writeSome(10 * FEW);
    expect(reader.prepare("select count(*) as notes from note").get()).toEqual(before);
    reader.close();
  });

  test.each([0, FEW])("does not go into another file that is put in its place after %i notes", async (notes) => {
    await writeSome(notes);
    const other = join(directory, "other.sqlite");
    const precious = new DatabaseSync(other);
    precious.exec("create table precious (text text); insert into precious values ('gold')");
    precious.close();
    const bytes = readFileSync(other);
    renameSync(other, file);
    await writeSome(FEW);
    // Waits for what is underway.
    await database.close();
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  test.each([0, FEW])("makes no file where it is taken away after %i notes", async (notes) => {
    await writeSome(notes);
    rmSync(file);
    await writeSome(FEW);
    await database.close();
    expect(existsSync(file)).toBe(false);
  });
});
