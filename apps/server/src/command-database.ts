import { existsSync } from "node:fs";
import { join } from "node:path";
import { takeDatabaseAddress } from "./database-config.ts";
import type { DatabasePlace } from "./kit/database.ts";
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
