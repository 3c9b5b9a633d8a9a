import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, link, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { Database } from "./database.ts";
import { writeDump } from "./database-dump.ts";
import { DatabaseError } from "./database-error.ts";
import type { TableSum } from "./table-rows.ts";
import type { TableShape } from "./table-shapes.ts";

export type BackupOptions = {
  readonly file: string;
  /** Also of SQLite a dump, and not a SQLite file. */
  readonly portable: boolean;
  readonly migrations: readonly string[];
  readonly shapes: readonly TableShape[];
  readonly now: () => Date;
};

/** Pages in one step: a server's writes go on between two of them. */
const PAGES = 1_000;

/**
 * One state of the whole database in a new file of mode 0600, while servers go on. The file is there whole, or not at all.
 * Gives the tables' sums for a dump.
 * @throws DatabaseError where the file exists or cannot be written.
 */
export async function backUp(database: Database, options: BackupOptions): Promise<TableSum[] | undefined> {
  const { file, portable, migrations, shapes, now } = options;
  if (existsSync(file)) throw new DatabaseError(`The file ${file} exists: choose another name for the backup.`);
  const part = `${file}.${randomBytes(6).toString("hex")}.part`;
  try {
    let sums: TableSum[] | undefined;
    if (database.engine === "sqlite" && !portable) await copyFile(database.place, part);
    else sums = await writeDump(database, shapes, { file: part, migrations, at: now() });
    // Fails where somebody has made the file meanwhile.
    await link(part, file);
    await sync(dirname(file));
    return sums;
  } catch (error) {
    const code = error instanceof Error && "code" in error && "syscall" in error ? error.code : undefined;
    if (code === undefined) throw error;
    const hint = code === "ENOSPC" ? "make room on the disk" : "choose another place";
    throw new DatabaseError(`The file ${file} cannot be written (${code}): ${hint}.`, { cause: error });
  } finally {
    await rm(part, { force: true });
  }
}

async function copyFile(from: string, to: string): Promise<void> {
  await (await open(to, "wx", 0o600)).close();
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5_000 });
  try {
    await backup(source, to, { rate: PAGES });
  } finally {
    source.close();
  }
  await chmod(to, 0o600);
  const damage = damageIn(to);
  if (damage !== undefined) {
    throw new DatabaseError(
      `The database ${from} is damaged (${damage}): nothing was backed up, keep your older backups and restore one of them.`,
    );
  }
  await sync(to);
}

/** What is wrong with a file that nobody writes to; `undefined`: nothing that its pages would show. */
function damageIn(file: string): string | undefined {
  const url = pathToFileURL(file);
  // The copy says that it has a log beside it. It has none, and is to get none.
  url.searchParams.set("immutable", "1");
  try {
    const copy = new DatabaseSync(url, { readOnly: true });
    try {
      return firstDamage(copy);
    } finally {
      copy.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Reads every page. Gives what SQLite says is wrong first, in its own words; `undefined` for nothing. */
function firstDamage(database: DatabaseSync): string | undefined {
  const said = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
  return said === "ok" ? undefined : String(said).split("\n").at(-1);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  await handle.sync().finally(() => handle.close());
}
