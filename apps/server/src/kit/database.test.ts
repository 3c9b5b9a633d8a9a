import { spawn } from "node:child_process";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { type Kysely, sql } from "kysely";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { connectDatabase, openDatabase } from "./database.ts";
import { DatabaseUnavailable } from "./database-error.ts";
import { engines } from "./engines.testing.ts";
import { type MigrationSet, migrationState } from "./migrations.ts";

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

type ValueTables = {
  value: { id: string; as_text?: unknown; as_integer?: unknown; as_real?: number; as_blob?: Uint8Array };
};

const VALUES: MigrationSet = {
  feature: "values",
  migrations: [
    {
      name: "0001_value",
      async up(db) {
        await db.schema
          .createTable("value")
          .addColumn("id", "text", (column) => column.primaryKey())
          .addColumn("as_text", "text")
          .addColumn("as_integer", "integer")
          .addColumn("as_real", "real")
          .addColumn("as_blob", "blob")
          .execute();
      },
    },
  ],
};

describe.each(engines)("on $name", (engine) => {
  test("what was written is there after the next start, and no migration runs twice", async () => {
    await using home = await engine.createEmpty();
    const first = await openDatabase({ ...home.place, migrations: [NOTES] });
    await first.write<Tables, unknown>((t) => t.insertInto("note").values({ id: 7, text: "kept" }).execute());
    await first.close();
    const second = await openDatabase({ ...home.place, migrations: [NOTES, LATER] });
    const rows = await second.tables<Tables>().selectFrom("note").selectAll().execute();
    expect(rows).toEqual([{ id: 7, text: "kept" }]);
    await second.close();
  });

  test("a write that fails leaves nothing behind", async () => {
    await using home = await engine.createEmpty();
    const database = await openDatabase({ ...home.place, migrations: [NOTES] });
    const write = database.write<Tables, void>(async (transaction) => {
      await transaction.insertInto("note").values({ id: 1, text: "gone" }).execute();
      throw new Error("on purpose");
    });
    await expect(write).rejects.toThrow("on purpose");
    expect(await database.tables<Tables>().selectFrom("note").selectAll().execute()).toEqual([]);
    await database.close();
  });

  test("writes that overlap run one after the other", async () => {
    await using home = await engine.createEmpty();
    const database = await openDatabase({ ...home.place, migrations: [NOTES] });
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

  test("a write reads what the write before it has left, also where that ran elsewhere", async () => {
    await using home = await engine.createEmpty();
    const databases = await Promise.all([1, 2, 3].map(() => openDatabase({ ...home.place, migrations: [NOTES] })));
    const add = (database: (typeof databases)[number]) =>
      database.write<Tables, void>(async (transaction) => {
        const { count } = await transaction
          .selectFrom("note")
          .select(({ fn }) => fn.countAll<number>().as("count"))
          .executeTakeFirstOrThrow();
        await transaction.insertInto("note").values({ id: count, text: "x" }).execute();
      });
    await Promise.all(databases.flatMap((database) => Array.from({ length: 10 }, () => add(database))));
    const ids = await databases[0]?.tables<Tables>().selectFrom("note").select("id").orderBy("id").execute();
    expect(ids?.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, index) => index));
    await Promise.all(databases.map((database) => database.close()));
  });

  test("a snapshot is one state, whatever is written meanwhile, and writes nothing", async () => {
    await using home = await engine.createEmpty();
    const [reader, writer] = [
      await openDatabase({ ...home.place, migrations: [NOTES] }),
      await openDatabase({ ...home.place, migrations: [NOTES] }),
    ];
    const count = (db: Kysely<Tables>) => db.selectFrom("note").selectAll().execute();
    await reader.snapshot<Tables, void>(async (view) => {
      expect(await count(view)).toEqual([]);
      await writer.write<Tables, unknown>((t) => t.insertInto("note").values({ id: 1, text: "x" }).execute());
      expect(await count(view)).toEqual([]);
    });
    expect(await count(reader.tables<Tables>())).toHaveLength(1);
    await Promise.all([reader.close(), writer.close()]);
  });

  test("a database that a newer program has changed is refused with a sentence that says what to do", async () => {
    await using home = await engine.createEmpty();
    const newer = await openDatabase({ ...home.place, migrations: [NOTES, LATER] });
    await newer.close();
    await expect(openDatabase({ ...home.place, migrations: [NOTES] })).rejects.toThrow(
      `The database ${newer.place} was made by a newer Loom (it has had the step later/0001_later): install that version or a later one, or choose another database or data directory.`,
    );
  });

  test("a migration that fails leaves the database at the last one that did not, and the next start goes on from there", async () => {
    await using home = await engine.createEmpty();
    const half = {
      name: "0002",
      async up(db: Kysely<unknown>) {
        await db.schema.createTable("half").addColumn("id", "text").execute();
        await db.schema.dropTable("nothing").execute();
      },
    };
    const broken: MigrationSet = { feature: "broken", migrations: [half] };
    await expect(openDatabase({ ...home.place, migrations: [NOTES, broken, LATER] })).rejects.toThrow(
      /^The database .*nothing/,
    );
    const database = await connectDatabase(home.place);
    const tables = await database.tables().introspection.getTables();
    expect(tables.map(({ name }) => name).sort()).toEqual(["loom_migration", "note"]);
    expect(await migrationState(database, [NOTES, broken, LATER])).toEqual({
      applied: ["notes/0001_note"],
      pending: ["broken/0002", "later/0001_later"],
      foreign: [],
    });
    await database.close();
    await (await openDatabase({ ...home.place, migrations: [NOTES, LATER] })).close();
  });

  test("servers that open a new database at once all find it ready, and each step is done once", async () => {
    await using home = await engine.createEmpty();
    let done = 0;
    const counted: MigrationSet = {
      feature: "notes",
      migrations: NOTES.migrations.map(({ name, up }) => ({
        name,
        up: async (db) => {
          done += 1;
          await up(db);
        },
      })),
    };
    const opening = Array.from({ length: 8 }, () => openDatabase({ ...home.place, migrations: [counted, LATER] }));
    const databases = await Promise.all(opening);
    expect(done).toBe(1);
    for (const [index, database] of databases.entries()) {
      await database.write<Tables, unknown>((t) => t.insertInto("note").values({ id: index, text: "x" }).execute());
    }
    expect(await databases[0]?.tables<Tables>().selectFrom("note").selectAll().execute()).toHaveLength(8);
    await Promise.all(databases.map((database) => database.close()));
  });

  test.each([
    ["text", "Zürich 織", "Zürich 織"],
    ["a whole number of 53 bits", 2 ** 53 - 1, 2 ** 53 - 1],
    ["null", null, null],
    ["true", true, 1],
  ])("%s goes in and comes out the same on every engine", async (_, value, expected) => {
    await using home = await engine.createEmpty();
    const database = await openDatabase({ ...home.place, migrations: [VALUES] });
    const column = typeof value === "string" ? "as_text" : "as_integer";
    await database.write<ValueTables, unknown>((t) =>
      t
        .insertInto("value")
        .values({ id: "a", [column]: value })
        .execute(),
    );
    const row = await database.tables<ValueTables>().selectFrom("value").select(column).executeTakeFirstOrThrow();
    expect(row[column]).toBe(expected);
    await database.close();
  });

  test("bytes come out as bytes, fractions as numbers, sums as numbers, and text sorts by its bytes", async () => {
    await using home = await engine.createEmpty();
    const database = await openDatabase({ ...home.place, migrations: [VALUES] });
    const rows = ["b", "B", "ä", "a-b", "a b", "Z"].map((id, index) => {
      return { id, as_blob: Uint8Array.of(0, 255, index), as_real: 0.1, as_integer: 4_000_000_000 };
    });
    await database.write<ValueTables, unknown>((t) => t.insertInto("value").values(rows).execute());
    const db = database.tables<ValueTables>();
    const sorted = await db.selectFrom("value").selectAll().orderBy("id").execute();
    expect(sorted.map(({ id }) => id)).toEqual(["B", "Z", "a b", "a-b", "b", "ä"]);
    expect(sorted[0]?.as_blob).toEqual(Uint8Array.of(0, 255, 1));
    expect(sorted[0]?.as_real).toBe(0.1);
    const sums = await db
      .selectFrom("value")
      .select(({ fn }) => fn.sum<number>("as_integer").as("sum"))
      .executeTakeFirst();
    expect(sums?.sum).toBe(24_000_000_000);
    await database.close();
  });

  test("after a statement that failed inside, nothing of a write is there, and it says so", async () => {
    await using home = await engine.createEmpty();
    const database = await openDatabase({ ...home.place, migrations: [NOTES] });
    const swallowed = database.write<Tables, void>(async (t) => {
      await t.insertInto("note").values({ id: 1, text: "x" }).execute();
      await sql`select nonsense from nowhere`.execute(t).catch(() => undefined);
      throw new Error("on purpose");
    });
    await expect(swallowed).rejects.toThrow("on purpose");
    expect(await database.tables<Tables>().selectFrom("note").selectAll().execute()).toEqual([]);
    await database.write<Tables, unknown>((t) => t.insertInto("note").values({ id: 1, text: "x" }).execute());
    await database.close();
  });
});

describe("a SQLite file", () => {
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

  test.each([
    ["full", "pragma max_page_count = 1", "cannot grow, because the disk is full: make room"],
    ["read-only", "pragma query_only = 1", "is read-only: make the file and its directory writable"],
  ])("that is %s says so to those who write, and is good again afterwards", async (_, trouble, clause) => {
    await using directory = await temporaryDirectory();
    const file = `${directory.path}/loom.sqlite`;
    const database = await openDatabase({ file, migrations: [NOTES] });
    const text = "x".repeat(100_000);
    const write = () =>
      database.write<Tables, unknown>((transaction) =>
        transaction.insertInto("note").values({ id: 1, text }).execute(),
      );
    await sql.raw(trouble).execute(database.tables());
    const error = await write().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(error).toMatchObject({
      message: `The database ${file} ${clause}.`,
      tells: `The database of the Loom server ${clause}.`,
    });
    await sql.raw("pragma query_only = 0").execute(database.tables());
    await sql.raw("pragma max_page_count = 100000").execute(database.tables());
    await write();
    expect(await database.tables<Tables>().selectFrom("note").selectAll().execute()).toEqual([{ id: 1, text }]);
    await database.close();
  });

  test("that another process has locked says so at once to work that can wait, and to a server that opens it", async () => {
    await using directory = await temporaryDirectory();
    const file = `${directory.path}/loom.sqlite`;
    const database = await openDatabase({ file, migrations: [NOTES] });
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    const late = openDatabase({ file, migrations: [NOTES, LATER] }).catch((reason: unknown) => reason);
    const message = `The database ${file} is locked by another process: stop that process, or try again.`;
    const behind = database.writeBehind(async () => undefined).catch((reason: unknown) => reason);
    for (const error of [await behind, await late]) {
      expect(error).toBeInstanceOf(DatabaseUnavailable);
      expect(error).toMatchObject({ message });
    }
    other.close();
    await database.close();
  });

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
});
