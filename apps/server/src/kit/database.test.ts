import { spawn } from "node:child_process";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { openDatabase } from "./database.ts";
import type { MigrationSet } from "./migrations.ts";

type Tables = { note: { id: number; text: string } };

const NOTES: MigrationSet = {
  feature: "notes",
  migrations: [
    {
      name: "0001_note",
      async up(db) {
        await db.schema
          .createTable("note")
          .addColumn("id", "integer", (column) => column.primaryKey())
          .addColumn("text", "text", (column) => column.notNull())
          .execute();
      },
    },
  ],
};

const LATER: MigrationSet = {
  feature: "later",
  migrations: [{ name: "0001_later", up: (db) => db.schema.createTable("later").addColumn("id", "text").execute() }],
};

test("a new database and its directory can be read by their owner alone", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/a/b/loom.sqlite`;
  const database = await openDatabase({ file, migrations: [NOTES] });
  await database.write<Tables, unknown>((t) => t.insertInto("note").values({ id: 1, text: "x" }).execute());
  const modes = [file, `${file}-wal`, `${directory.path}/a/b`, `${directory.path}/a`].map(async (path) =>
    ((await stat(path)).mode & 0o777).toString(8),
  );
  expect(await Promise.all(modes)).toEqual(["600", "600", "700", "700"]);
  await database.close();
});

test("what was written is there after the next start, and no migration runs twice", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/loom.sqlite`;
  const first = await openDatabase({ file, migrations: [NOTES] });
  await first.write<Tables, unknown>((t) => t.insertInto("note").values({ id: 7, text: "kept" }).execute());
  await first.close();
  const second = await openDatabase({ file, migrations: [NOTES, LATER] });
  const rows = await second.tables<Tables>().selectFrom("note").selectAll().execute();
  expect(rows).toEqual([{ id: 7, text: "kept" }]);
  await second.close();
});

test("a write that fails leaves nothing behind", async () => {
  await using directory = await temporaryDirectory();
  const database = await openDatabase({ file: `${directory.path}/loom.sqlite`, migrations: [NOTES] });
  const write = database.write<Tables, void>(async (transaction) => {
    await transaction.insertInto("note").values({ id: 1, text: "gone" }).execute();
    throw new Error("on purpose");
  });
  await expect(write).rejects.toThrow("on purpose");
  expect(await database.tables<Tables>().selectFrom("note").selectAll().execute()).toEqual([]);
  await database.close();
});

test("writes that overlap run one after the other", async () => {
  await using directory = await temporaryDirectory();
  const database = await openDatabase({ file: `${directory.path}/loom.sqlite`, migrations: [NOTES] });
  const add = () =>
    database.write<Tables, void>(async (transaction) => {
      const { count } = await transaction
        .selectFrom("note")
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      await transaction.insertInto("note").values({ id: count, text: "x" }).execute();
    });
  await Promise.all(Array.from({ length: 20 }, add));
  const ids = await database.tables<Tables>().selectFrom("note").select("id").orderBy("id").execute();
  expect(ids.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  await database.close();
});

test("a write that waits for another process's write holds up nobody who reads", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/loom.sqlite`;
  const database = await openDatabase({ file, migrations: [NOTES] });
  const other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  let isWritten = false;
  const written = database
    .write<Tables, unknown>((transaction) => transaction.insertInto("note").values({ id: 1, text: "late" }).execute())
    .then(() => {
      isWritten = true;
    });
  expect(await database.tables<Tables>().selectFrom("note").selectAll().execute()).toEqual([]);
  expect(isWritten).toBe(false);
  other.exec("ROLLBACK");
  other.close();
  await written;
  expect(await database.tables<Tables>().selectFrom("note").selectAll().execute()).toEqual([{ id: 1, text: "late" }]);
  await database.close();
});

test("a database that a newer program has changed is refused with a sentence that says what to do", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/loom.sqlite`;
  await (await openDatabase({ file, migrations: [NOTES, LATER] })).close();
  await expect(openDatabase({ file, migrations: [NOTES] })).rejects.toThrow(
    `The database ${file} was made by a newer Loom (it has had the step later/0001_later): install that version or a later one, or choose another data directory.`,
  );
});

test("a migration that fails leaves the database as it was", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/loom.sqlite`;
  const broken: MigrationSet = {
    feature: "broken",
    migrations: [{ name: "0001", up: (db) => db.schema.dropTable("nothing").execute() }],
  };
  await expect(openDatabase({ file, migrations: [NOTES, broken] })).rejects.toThrow(file);
  const raw = new DatabaseSync(file);
  expect(raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([]);
  raw.close();
});

test("a file that is no database is left alone", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/loom.sqlite`;
  await writeFile(file, "This is a letter to my grandmother. ".repeat(20));
  await expect(openDatabase({ file, migrations: [NOTES] })).rejects.toThrow(
    /is no SQLite database.*move the file away/,
  );
});

test.each([
  ["a directory", async (path: string) => void (await mkdir(`${path}/loom.sqlite`)), "loom.sqlite"],
  ["below a file", (path: string) => writeFile(`${path}/file`, ""), "file/loom.sqlite"],
])("a path that is %s is refused with a sentence that names it", async (_, prepare, name) => {
  await using directory = await temporaryDirectory();
  await prepare(directory.path);
  const file = `${directory.path}/${name}`;
  await expect(openDatabase({ file, migrations: [NOTES] })).rejects.toThrow(
    new RegExp(`^The database ${file} cannot be made \\(E[A-Z]+\\): .*\\.$`),
  );
});

test("eight processes that open a new database at once all find it ready", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/data/loom.sqlite`;
  const script = `
    import { openDatabase } from ${JSON.stringify(new URL("./database.ts", import.meta.url).href)};
    const up = (db) => db.schema.createTable("note").addColumn("id", "integer").execute();
    const migrations = [{ feature: "notes", migrations: [{ name: "0001_note", up }] }];
    const database = await openDatabase({ file: process.argv[1], migrations });
    await database.write((t) => t.insertInto("note").values({ id: process.pid }).execute());
    await database.close();`;
  const codes = Array.from({ length: 8 }, () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, file], { stdio: "inherit" });
    return new Promise((resolve) => child.once("exit", resolve));
  });
  expect(await Promise.all(codes)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  const raw = new DatabaseSync(file);
  expect(raw.prepare("SELECT count(*) AS count FROM note").get()).toEqual({ count: 8 });
  expect(raw.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  raw.close();
});
