import { ConfigError, type Environment, eraseVariable, readSecret } from "@loom/config";
import { type PostgresAddress, parsePostgresUrl } from "./kit/postgres-address.ts";

const OWN = "LOOM_SERVER_DATABASE_URL";
/** What most platforms call it. */
const SHARED = "DATABASE_URL";

const MAX_POOL = 500;
const MAX_STATEMENT_SECONDS = 3_600;

/**
 * The PostgreSQL database that the variables name; nothing where they name none, and SQLite it is. The URL is taken out of
 * `env`: it may hold a password. Only for `loom-server`: whoever works on a project has its `DATABASE_URL` around, which
 * is no business of the server inside `loom`.
 * @throws ConfigError that names the variable and never repeats the URL.
 */
export function takeDatabaseAddress(
  env: NodeJS.ProcessEnv,
  options: { readonly warn?: (sentence: string) => void } = {},
): PostgresAddress | undefined {
  const name = [OWN, SHARED].find((each) => (env[each] ?? "") !== "" || (env[`${each}_FILE`] ?? "") !== "");
  if (name === undefined) return undefined;
  const fromFile = (env[`${name}_FILE`] ?? "") !== "";
  const url = readSecret(env, name, options);
  eraseVariable(OWN, env);
  eraseVariable(SHARED, env);
  if (url === undefined) return undefined;
  const seconds = readNumber(env, "LOOM_SERVER_DATABASE_STATEMENT_TIMEOUT", MAX_STATEMENT_SECONDS);
  return parsePostgresUrl(url, fromFile ? `${name}_FILE` : name, {
    poolSize: readNumber(env, "LOOM_SERVER_DATABASE_POOL", MAX_POOL),
    statementTimeoutMs: seconds === undefined ? undefined : seconds * 1000,
  });
}

function readNumber(env: Environment, variable: string, most: number): number | undefined {
  const text = env[variable] ?? "";
  if (text === "") return undefined;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new ConfigError(`${variable} has to be a whole number from 1 to ${most}.`);
}
