import { copyFile, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase } from "./database.ts";
import { copyDatabase } from "./database-copy.ts";
import { readDump, readDumpHead } from "./database-dump.ts";
import { DatabaseError } from "./database-error.ts";
import type { MigrationSet } from "./migrations.ts";
import type { TableSum } from "./table-rows.ts";
import { tableShapes } from "./table-shapes.ts";

export type RestoreOptions = {
  readonly file: string;
  /** Deletes what the database holds; without it, one that holds anything is refused. */
  readonly replaces: boolean;
  readonly migrations: readonly MigrationSet[];
};

/**
 * Puts a backup into a database, all of it or nothing. The backup may be of either kind and of an older Loom: it is
 * brought up to date in a temporary SQLite file first.
 * @throws DatabaseError
 */
export async function restore(to: Database, { file, replaces, migrations }: RestoreOptions): Promise<TableSum[]> {
  const kind = await kindOf(file);
  const directory = await mkdtemp(join(tmpdir(), "loom-restore-"));
  const temporary = join(directory, "restore.sqlite");
  try {
    if (kind === "sqlite") await copyFile(file, temporary);
    else await unpack(file, temporary, migrations);
    const from = await openDatabase({ file: temporary, migrations }).catch((error: unknown) => {
      // The temporary file's name says nothing to anybody.
      throw error instanceof DatabaseError ? new DatabaseError(error.message.replace(temporary, file)) : error;
    });
    try {
      return await copyDatabase({ from, to, shapes: await tableShapes(migrations), replaces });
    } finally {
      await from.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function unpack(file: string, temporary: string, migrations: readonly MigrationSet[]): Promise<void> {
  const head = await readDumpHead(file);
  const known = new Set(migrations.flatMap((set) => set.migrations.map(({ name }) => `${set.feature}/${name}`)));
  const foreign = head.migrations.find((id) => !known.has(id));
  if (foreign !== undefined) {
    throw new DatabaseError(
      `The file ${file} was made by a newer Loom (it has had the step ${foreign}): restore it with that version or a later one.`,
    );
  }
  const then = migrations.map((set) => ({
    feature: set.feature,
    migrations: set.migrations.filter(({ name }) => head.migrations.includes(`${set.feature}/${name}`)),
  }));
  const database = await openDatabase({ file: temporary, migrations: then });
  try {
    await readDump(file, database, await tableShapes(then));
  } finally {
    await database.close();
  }
}

async function kindOf(file: string): Promise<"sqlite" | "dump"> {
  const beginning = Buffer.alloc(16);
  try {
    const handle = await open(file, "r");
    await handle.read(beginning, 0, 16, 0).finally(() => handle.close());
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new DatabaseError(`The file ${file} cannot be read (${code}): name the file that db backup made.`);
  }
  if (beginning.toString("latin1").startsWith("SQLite format 3\0")) return "sqlite";
  if (beginning[0] === 0x1f && beginning[1] === 0x8b) return "dump";
  throw new DatabaseError(`The file ${file} is no backup of Loom: name the file that db backup made.`);
}
