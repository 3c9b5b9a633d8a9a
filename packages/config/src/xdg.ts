import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { ConfigError } from "./errors.ts";
import type { Environment } from "./secret.ts";

/** Where Loom keeps what belongs to one person. All absolute; none of them need exist. */
export type LoomDirectories = {
  /** Settings and credentials: `$XDG_CONFIG_HOME/loom`. */
  readonly config: string;
  /** Threads and the embedded server's database: `$XDG_DATA_HOME/loom`. */
  readonly data: string;
  /** Logs and histories: `$XDG_STATE_HOME/loom`. */
  readonly state: string;
  /** What can be made again: `$XDG_CACHE_HOME/loom`. */
  readonly cache: string;
};

/**
 * The directories of the XDG Base Directory Specification 0.8: each variable counts only if it holds an absolute path,
 * else the specified default under the home directory is taken.
 * @throws ConfigError where a default is needed and there is no home directory.
 */
export function loomDirectories(env: Environment): LoomDirectories {
  return {
    config: directory(env, "XDG_CONFIG_HOME", ".config"),
    data: directory(env, "XDG_DATA_HOME", ".local/share"),
    state: directory(env, "XDG_STATE_HOME", ".local/state"),
    cache: directory(env, "XDG_CACHE_HOME", ".cache"),
  };
}

function directory(env: Environment, variable: string, underHome: string): string {
  const value = env[variable];
  if (value !== undefined && isAbsolute(value)) return join(value, "loom");
  const home = env.HOME !== undefined && env.HOME !== "" ? env.HOME : homedir();
  if (!isAbsolute(home)) {
    throw new ConfigError(`There is no home directory: set HOME or ${variable} to an absolute path.`);
  }
  return join(home, underHome, "loom");
}
