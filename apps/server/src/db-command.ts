import { type CommandAudit, commandAudit } from "./command-audit.ts";
import { commandDatabase } from "./command-database.ts";
import { DB_HELP, type DbCommand, parseDbCommand } from "./db-command-line.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { backUp } from "./kit/backup.ts";
import { connectDatabase, type Database, type DatabasePlace, explained, openDatabase } from "./kit/database.ts";
import { copyDatabase } from "./kit/database-copy.ts";
import { DatabaseError } from "./kit/database-error.ts";
import { databaseFacts, isDamaged } from "./kit/database-facts.ts";
import { migrationState } from "./kit/migrations.ts";
import { restore } from "./kit/restore.ts";
import type { TableSum } from "./kit/table-rows.ts";
import { tableShapes } from "./kit/table-shapes.ts";
import { UsageError } from "./usage-error.ts";

export type DbCommandOutput = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
};

/** `loom-server db …`. @throws UsageError, ConfigError, DatabaseError */
export async function runDbCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: DbCommandOutput,
): Promise<void> {
  const command = parseDbCommand(args, env);
  if (command.type === "help") {
    output.print(DB_HELP);
    return;
  }
  const mayMake = command.type === "migrate" || command.type === "restore";
  const place = commandDatabase(command.dataDirectory, env, { mayMake, warn: output.say });
  await run(command, place, output, commandAudit(command.dataDirectory, env, { warn: output.say }));
}

async function run(
  command: Exclude<DbCommand, { type: "help" }>,
  place: DatabasePlace,
  { print, say }: DbCommandOutput,
  record: CommandAudit,
): Promise<void> {
  switch (command.type) {
    case "status":
      return using(connectDatabase(place), async (database) => {
        print(await statusOf(database));
        if (await isDamaged(database)) {
          throw new DatabaseError(`The database ${database.place} is damaged: restore it from a backup.`);
        }
      });
    case "migrate": {
      const pending = await using(connectDatabase(place), async (database) => {
        return (await migrationState(database, MIGRATIONS)).pending;
      });
      return using(openDatabase({ ...place, migrations: MIGRATIONS }), async (database) => {
        for (const id of pending) print(`${id}\n`);
        if (pending.length > 0) {
          await record(database, { event: "database.migrated", outcome: "success", details: { steps: pending } });
        }
        say(`The database ${database.place} is up to date; ${count(pending.length, "step")} had to be done.`);
      });
    }
    case "backup":
      return using(current(place), async (database) => {
        const { file, portable } = command;
        // Before: whoever has the backup finds it in there, too.
        await record(database, { event: "database.backed_up", outcome: "success", details: { file } });
        const { migrations, shapes } = await known();
        const sums = await backUp(database, { file, portable, migrations, shapes, now: () => new Date() });
        if (sums !== undefined) print(tableOf(sums));
        say(`The database ${database.place} is backed up in ${file}.`);
      });
    case "restore":
      return using(openDatabase({ ...place, migrations: MIGRATIONS }), async (database) => {
        const { file, force } = command;
        print(tableOf(await restore(database, { file, replaces: force, migrations: MIGRATIONS })));
        await record(database, { event: "database.restored", outcome: "success", details: { file } });
        say(`The database ${database.place} holds what ${file} does.`);
      });
    case "copy":
      if ("file" in command.to && "file" in place && command.to.file === place.file) {
        throw new UsageError("--to names the database itself: choose another one.");
      }
      return using(current(place), (from) =>
        using(openDatabase({ ...command.to, migrations: MIGRATIONS }), async (to) => {
          const { shapes } = await known();
          // Before: afterwards both would have to be signed, and the key of the copy is not here.
          await record(from, { event: "database.copied", outcome: "success", details: { to: to.place } });
          print(tableOf(await copyDatabase({ from, to, shapes, replaces: command.force })));
          say(`The database ${to.place} holds what ${from.place} does; rows and checksums are the same.`);
        }),
      );
  }
}

async function using<Result>(
  opening: Promise<Database>,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await opening;
  try {
    return await work(database);
  } catch (error) {
    throw error instanceof UsageError || isOurs(error) ? error : await explained(database, error);
  } finally {
    await database.close();
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof DatabaseError && /^The (database|file|directory) /.test(error.message);
}

/** Reads only what is up to date: what an older or newer program left has other tables. */
async function current(place: DatabasePlace): Promise<Database> {
  const database = await connectDatabase(place);
  const { pending, foreign } = await migrationState(database, MIGRATIONS).catch(async (error: unknown) => {
    await database.close();
    throw await explained(database, error);
  });
  if (pending.length === 0 && foreign.length === 0) return database;
  await database.close();
  const problem =
    foreign.length > 0
      ? `was made by a newer Loom (it has had the step ${foreign[0]}): use that version or a later one`
      : `is not up to date (${pending[0]} is to be done): run loom-server db migrate first`;
  throw new DatabaseError(`The database ${database.place} ${problem}.`);
}

async function known() {
  const migrations = MIGRATIONS.flatMap((set) => set.migrations.map(({ name }) => `${set.feature}/${name}`));
  return { migrations, shapes: await tableShapes(MIGRATIONS) };
}

async function statusOf(database: Database): Promise<string> {
  const [{ pending, applied, foreign }, facts] = await Promise.all([
    migrationState(database, MIGRATIONS),
    databaseFacts(database),
  ]);
  const lines = [
    ["database", database.place],
    ["engine", `${database.engine === "sqlite" ? "SQLite" : "PostgreSQL"} ${facts.version}`],
    ["size", `${(facts.bytes / 1_048_576).toFixed(1)} MiB`],
    ["steps done", String(applied.length)],
    ["to be done", pending.length === 0 ? "none" : pending.join(", ")],
    ...(foreign.length === 0 ? [] : [["of a newer Loom", foreign.join(", ")]]),
  ];
  return lines.map(([label = "", value]) => `${label.padEnd(16)} ${value}\n`).join("");
}

function tableOf(sums: readonly TableSum[]): string {
  const width = Math.max(...sums.map(({ table }) => table.length), 5);
  const rows = sums.map(
    ({ table, rows, sha256 }) => `${table.padEnd(width)}  ${String(rows).padStart(10)}  ${sha256}\n`,
  );
  return `${"TABLE".padEnd(width)}  ${"ROWS".padStart(10)}  SHA-256\n${rows.join("")}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
