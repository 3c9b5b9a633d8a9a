import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { damage } from "./damage.testing.ts";
import { runDbCommand } from "./db-command.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { type Database, openDatabase } from "./kit/database.ts";
import { type Engine, engines, sqlite, type TestHome } from "./kit/engines.testing.ts";
import { temporaryDirectory } from "./testing.ts";

type Row = Record<string, string | number | Uint8Array | null>;
type Tables = { access_token: Row; owner_token: Row; usage_node: Row; budget_rule: Row };

async function command(home: TestHome, ...args: string[]): Promise<{ printed: string; said: string }> {
  const [printed, said]: [string[], string[]] = [[], []];
  await runDbCommand(
    [...args, "--data", home.path],
    { ...home.env },
    {
      print: (text) => printed.push(text),
      say: (sentence) => said.push(sentence),
    },
  );
  return { printed: printed.join(""), said: said.join("\n") };
}

/** More rows than a batch has, and everything that is hard to carry over. */
async function fill(home: TestHome): Promise<void> {
  await using_(home, async (database) => {
    const nodes = Array.from({ length: 1_234 }, (_, n) => ({
      path: `p${n}`,
      kind: "token",
      node: `n ${n}`,
      last_at_ms: 2 ** 50 + n,
    }));
    await database.write<Tables, void>(async (t) => {
      for (let start = 0; start < nodes.length; start += 500) {
        await t
          .insertInto("usage_node")
          .values(nodes.slice(start, start + 500))
          .execute();
      }
      const odd = { label: 'ü "quoted"\n\t\\ 織 \u{1f9f6}', limits: null, revision: 7 };
      await t
        .insertInto("budget_rule")
        .values({ kind: "session", id: "", ...odd })
        .execute();
      const hash = Uint8Array.from({ length: 32 }, (_, n) => n * 8);
      await t
        .insertInto("owner_token")
        .values({ id: "owner-1", token_hash: hash, created_at: "2026-11-20T00:00:00Z" })
        .execute();
    });
  });
}

async function contents(home: TestHome): Promise<unknown> {
  return using_(home, async (database) => {
    const db = database.tables<Tables>();
    return {
      nodes: await db.selectFrom("usage_node").selectAll().orderBy("path").execute(),
      rules: await db.selectFrom("budget_rule").selectAll().execute(),
      owner: await db.selectFrom("owner_token").selectAll().execute(),
    };
  });
}

async function using_<Result>(home: TestHome, work: (database: Database) => Promise<Result>): Promise<Result> {
  const database = await openDatabase({ ...home.place, migrations: MIGRATIONS });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

function target(home: TestHome): string[] {
  return ["--to", home.env.LOOM_SERVER_DATABASE_URL ?? `sqlite:${home.path}/loom-server.sqlite`];
}

const pairs = engines.flatMap((from) => engines.map((to) => [from, to] as const));

describe.each(pairs)("from $0.name to $1.name", (from: Engine, to: Engine) => {
  test("a copy has the same rows, by number and checksum, and refuses a target that holds something", async () => {
    await using source = await from.create();
    await using copy = await to.create();
    await fill(source);
    const { printed, said } = await command(source, "copy", ...target(copy));
    expect(printed).toMatch(/^TABLE +ROWS +SHA-256\n/);
    expect(printed).toMatch(/^usage_node +1234 +[0-9a-f]{64}$/m);
    expect(said).toMatch(/rows and checksums are the same\.$/);
    expect(await contents(copy)).toEqual(await contents(source));
    await expect(command(source, "copy", ...target(copy))).rejects.toThrow(
      /is not empty \(the table \w+ has rows\).*--force/,
    );
    await command(source, "copy", ...target(copy), "--force");
    expect(await contents(copy)).toEqual(await contents(source));
  });

  test("a portable backup restores to the same rows, and a damaged one changes nothing", async () => {
    await using source = await from.create();
    await using copy = await to.create();
    await fill(source);
    const file = `${source.path}/backup.gz`;
    await command(source, "backup", file, "--portable");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const bytes = await readFile(file);
    const cut = `${source.path}/cut.gz`;
    await writeFile(cut, bytes);
    await truncate(cut, bytes.length - 100);
    await expect(command(copy, "restore", cut)).rejects.toThrow(
      /^The file .*cut.gz is no whole backup of Loom \(.*\): nothing was changed\.$/,
    );
    const changed = `${source.path}/changed.gz`;
    await writeFile(changed, gzipSync(gunzipSync(bytes).toString("utf8").replace('"n 77"', '"n 78"')));
    await expect(command(copy, "restore", changed)).rejects.toThrow("the table usage_node is not what it was");
    await command(copy, "restore", file);
    expect(await contents(copy)).toEqual(await contents(source));
    await expect(command(copy, "restore", file)).rejects.toThrow(/is not empty/);
    await command(copy, "restore", file, "--force");
    await expect(command(source, "backup", file)).rejects.toThrow(`The file ${file} exists`);
  });
});

describe.each(engines)("on $name", (engine) => {
  test("status says what there is and what is to be done, and migrate does it", async () => {
    await using home = await engine.createEmpty();
    await (await openDatabase({ ...home.place, migrations: MIGRATIONS.slice(0, 1) })).close();
    const before = await command(home, "status");
    expect(before.printed).toMatch(
      new RegExp(`^database .*\\nengine +${engine.name} \\d+\\..*\\nsize +[\\d.]+ MiB\\nsteps done +2\\n`),
    );
    expect(before.printed).toMatch(/^to be done +.*tokens\/0001_access_token/m);
    await expect(command(home, "backup", `${home.path}/b`)).rejects.toThrow(
      /is not up to date .*run loom-server db migrate first\.$/,
    );
    const { printed, said } = await command(home, "migrate");
    expect(printed).toContain("tokens/0001_access_token\n");
    expect(said).toMatch(/is up to date; \d+ steps had to be done\.$/);
    expect((await command(home, "status")).printed).toMatch(/^to be done +none$/m);
    expect((await command(home, "migrate")).said).toMatch(/; 0 steps had to be done\.$/);
  });

  test("a backup is one state of the database, while servers write", async () => {
    await using home = await engine.createEmpty();
    await using copy = await engine.createEmpty();
    await fill(home);
    const file = `${home.path}/backup`;
    await using_(home, async (server) => {
      let stopped = false;
      const writing = (async () => {
        for (let n = 0; !stopped; n += 1) {
          // SQLite answers within the turn: without this nothing else would have one.
          await new Promise((resolve) => setImmediate(resolve));
          // Two rows at once: a backup that has one without the other is none.
          await server.write<Tables, void>(async (t) => {
            await t
              .insertInto("budget_rule")
              .values({ kind: "a", id: String(n), label: null, limits: null, revision: n })
              .execute();
            await t
              .insertInto("budget_rule")
              .values({ kind: "z", id: String(n), label: null, limits: null, revision: n })
              .execute();
          });
        }
      })();
      await command(home, "backup", file);
      stopped = true;
      await writing;
    });
    await command(copy, "restore", file);
    const rows = await using_(copy, (database) =>
      database
        .tables<Tables>()
        .selectFrom("budget_rule")
        .select(["kind", "id"])
        .where("kind", "in", ["a", "z"])
        .execute(),
    );
    const idsOf = (kind: string) =>
      rows
        .filter((row) => row.kind === kind)
        .map(({ id }) => id)
        .sort();
    expect(idsOf("a")).toEqual(idsOf("z"));
  });

  test("a backup of an older Loom is brought up to date", async () => {
    await using home = await engine.createEmpty();
    await using copy = await engine.createEmpty();
    const file = `${home.path}/backup.gz`;
    await fill(home);
    await command(home, "backup", file, "--portable");
    const lines = gunzipSync(await readFile(file))
      .toString("utf8")
      .trimEnd()
      .split("\n");
    const steps = (JSON.parse(lines[0] ?? "") as { migrations: string[] }).migrations;
    const older = steps.filter((id) => id !== "budgets/0002_budget_slices");
    const without = lines.filter((line) => !line.startsWith('{"table":"budget_exchange"'));
    const manifest = JSON.parse(without.at(-1) ?? "") as { tables: { table: string }[] };
    const tables = manifest.tables.filter(({ table }) => table !== "budget_exchange");
    const holds = without.map((line) =>
      line.startsWith('{"table":"budget_hold"') ? line.replace(',"in_use","wanted"', "") : line,
    );
    const head = JSON.stringify({ ...(JSON.parse(lines[0] ?? "") as object), migrations: older });
    await writeFile(
      `${file}.old`,
      gzipSync(`${[head, ...holds.slice(1, -1), JSON.stringify({ tables })].join("\n")}\n`),
    );
    await command(copy, "restore", `${file}.old`);
    expect(await contents(copy)).toEqual(await contents(home));
    const newer = { ...(JSON.parse(lines[0] ?? "") as object), migrations: [...steps, "later/0001"] };
    await writeFile(`${file}.new`, gzipSync(`${[JSON.stringify(newer), ...lines.slice(1)].join("\n")}\n`));
    await expect(command(copy, "restore", `${file}.new`, "--force")).rejects.toThrow(
      /was made by a newer Loom \(it has had the step later\/0001\)/,
    );
  });

  test("what a copy cannot write leaves the target as it was", async () => {
    await using home = await engine.createEmpty();
    await using copy = await engine.createEmpty();
    await fill(home);
    await using_(copy, async (database) => {
      await sql`create table blocker (id text primary key)`.execute(database.tables());
      await sql`create unique index blocking on usage_node (kind)`.execute(database.tables());
    });
    await expect(command(home, "copy", ...target(copy))).rejects.toThrow(/^The database /);
    expect(await contents(copy)).toEqual({ nodes: [], rules: [], owner: [] });
  });
});

test("what is wrong is told in one sentence, and nothing is made", async () => {
  await using home = await sqlite.create();
  await using empty = await temporaryDirectory();
  const url = `${empty.path}/url`;
  await writeFile(url, "postgres://loom:sesame@db.example:99999/loom");
  await writeFile(`${empty.path}/letter`, "Dear grandmother,");
  await command(home, "migrate");
  const wrong: [string[], RegExp][] = [
    [["drop"], /There is no loom-server db drop/],
    [["status", "x"], /takes no "x"/],
    [["backup"], /Say which file/],
    [["backup", "a", "b"], /"b" is too much/],
    [["backup", "a", "--to", "b"], /--to is a flag of loom-server db copy, not of backup/],
    [["copy"], /Say where to copy to/],
    [["copy", "--to", "mysql://x"], /--to is no address of a PostgreSQL database/],
    [["copy", "--to", "postgres://u:sesame@h/d"], /The password in --to can be read by everybody/],
    [["copy", "--to-file", url], /--to-file is no address/],
    [["copy", "--to", `sqlite:${home.path}/loom-server.sqlite`], /names the database itself/],
    [
      ["copy", "--to", "postgres://loom@127.0.0.1:1/loom"],
      /postgres:\/\/loom@127.0.0.1:1\/loom cannot be reached \(ECONNREFUSED\)/,
    ],
    [["restore", `${empty.path}/nothing`], /cannot be read \(ENOENT\)/],
    [["restore", `${empty.path}/letter`], /is no backup of Loom/],
    [["backup", `${empty.path}/no/such/place`], /cannot be written \(ENOENT\)/],
    [["status", "--nonsense"], /see loom-server db --help\.$/],
  ];
  for (const [args, sentence] of wrong) {
    const error = await command(home, ...args).then(
      () => undefined,
      (reason: unknown) => String(reason),
    );
    expect(error, args.join(" ")).toMatch(sentence);
    expect(error).not.toContain("sesame");
    expect(error).toMatch(/^\w+: [^\n]+\.$/);
  }
  const nowhere = { ...home, path: `${empty.path}/none`, env: {} };
  await expect(command(nowhere, "status")).rejects.toThrow(/There is no database of a Loom server in/);
  await expect(stat(nowhere.path)).rejects.toThrow("ENOENT");
  expect((await command(home, "--help")).printed).toContain("db copy --to URL");
});

test("a damaged SQLite database is not taken for a backup, and status says it", async () => {
  await using home = await sqlite.create();
  await using out = await temporaryDirectory();
  await command(home, "migrate");
  await fill(home);
  damage(`${home.path}/loom-server.sqlite`, ["usage_node"]);
  await expect(command(home, "backup", `${out.path}/copy`)).rejects.toThrow(
    /^The database \S+ is damaged \([^\n]+\): nothing was backed up, [^\n]+\.$/,
  );
  expect(await readdir(out.path)).toEqual([]);
  await expect(command(home, "status")).rejects.toThrow(/^The database \S+ is damaged: restore it from a backup\.$/);
});
