import { existsSync } from "node:fs";
import { join } from "node:path";
import { takeDatabaseAddress } from "./database-config.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { AuditLine } from "./kit/audit.ts";
import { type Database, type DatabasePlace, openDatabase } from "./kit/database.ts";
import type { Kit } from "./kit/kit.ts";
import { SILENT_LOG } from "./kit/log.ts";
import { createMetrics } from "./kit/metrics.ts";
import { DATABASE_FILE } from "./server.ts";
import { UsageError } from "./usage-error.ts";

/**
 * The database that a command works on, as a server with this environment and data directory would use it.
 * @throws UsageError where there is none and the command has no business making one; ConfigError
 */
export function commandDatabase(
  dataDirectory: string,
  env: NodeJS.ProcessEnv,
  { mayMake, warn }: { readonly mayMake: boolean; readonly warn?: (sentence: string) => void },
): DatabasePlace {
  const postgres = takeDatabaseAddress(env, warn === undefined ? {} : { warn });
  if (postgres !== undefined) return { postgres };
  const file = join(dataDirectory, DATABASE_FILE);
  if (mayMake || existsSync(file)) return { file };
  throw new UsageError(`There is no database of a Loom server in ${dataDirectory}: say where with --data.`);
}

/** Does `work` on the database, brought to what this program knows, and closes it. @throws DatabaseError */
export async function onCommandDatabase<Result>(
  place: DatabasePlace,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await openDatabase({ ...place, migrations: MIGRATIONS });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** What features are made with in a command: nobody listens to what they log, and the command records what it does itself. */
export function commandKit(database: Database): Kit {
  return {
    log: SILENT_LOG,
    metrics: createMetrics(),
    audit: new AuditLine(),
    redact: String,
    database: async () => database,
  };
}
