import { resolve } from "node:path";
import { type Environment, readSecretFile, Secret } from "@loom/config";
import {
  dataDirectoryOf,
  type FlagsOfVerbs,
  readFlags,
  refuseFurtherWords,
  refuseOtherFlags,
} from "./command-flags.ts";
import type { DatabasePlace } from "./kit/database.ts";
import { parsePostgresUrl } from "./kit/postgres-address.ts";
import { UsageError } from "./usage-error.ts";

export type DbCommand =
  | { readonly type: "help" }
  | { readonly type: "migrate" | "status"; readonly dataDirectory: string }
  | { readonly type: "backup"; readonly dataDirectory: string; readonly file: string; readonly portable: boolean }
  | { readonly type: "restore"; readonly dataDirectory: string; readonly file: string; readonly force: boolean }
  | { readonly type: "copy"; readonly dataDirectory: string; readonly to: DatabasePlace; readonly force: boolean };

const COMMAND = "loom-server db";
const FLAGS = {
  to: { type: "string" },
  "to-file": { type: "string" },
  portable: { type: "boolean" },
  force: { type: "boolean" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const DB_HELP = `Usage: loom-server db status
       loom-server db migrate
       loom-server db backup FILE [--portable]
       loom-server db restore FILE [--force]
       loom-server db copy --to URL [--force]

Looks after the server's database: the PostgreSQL database of LOOM_SERVER_DATABASE_URL or DATABASE_URL (each also as
..._FILE), else the SQLite file in the data directory.

  status     engine, version, size, and the steps that are still to be done
  migrate    does them; a server does so by itself when it starts
  backup     one state of the whole database, while servers run. SQLite: a SQLite file; PostgreSQL, or --portable: JSON
             lines with row counts and checksums, compressed, which both engines can restore
  restore    puts a backup into an empty database; stop the servers first
  copy       to another, empty database, whose rows are compared afterwards; stop the servers first

  --to URL       postgres://USER@HOST/NAME, or sqlite:FILE
  --to-file FILE a file with the URL, for one that holds a password
  --portable     a backup that both engines can restore
  --force        delete what the target holds
  --data DIR     where the SQLite file lives (LOOM_SERVER_DATA_DIR)
  --help
`;

/** What stands after `loom-server db`. @throws UsageError, ConfigError */
export function parseDbCommand(args: readonly string[], env: Environment): DbCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, name, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  refuseFurtherWords(COMMAND, rest);
  if (FLAGS_OF[verb] === undefined) {
    throw new UsageError(`There is no loom-server db ${verb}: use status, migrate, backup, restore or copy.`);
  }
  refuseOtherFlags(COMMAND, verb, values, FLAGS_OF);
  const dataDirectory = dataDirectoryOf(values.data, env);
  const force = values.force === true;
  switch (verb) {
    case "backup":
      return { type: verb, dataDirectory, file: resolve(named(verb, name)), portable: values.portable === true };
    case "restore":
      return { type: verb, dataDirectory, file: resolve(named(verb, name)), force };
    default:
      if (name !== undefined) throw new UsageError(`loom-server db ${verb} takes no ${JSON.stringify(name)}.`);
  }
  if (verb === "copy") return { type: verb, dataDirectory, to: targetOf(values.to, values["to-file"]), force };
  return { type: verb === "migrate" ? "migrate" : "status", dataDirectory };
}

const FLAGS_OF: FlagsOfVerbs = {
  status: [],
  migrate: [],
  backup: ["portable"],
  restore: ["force"],
  copy: ["to", "to-file", "force"],
};

function targetOf(to: string | undefined, file: string | undefined): DatabasePlace {
  if ((to === undefined) === (file === undefined)) {
    throw new UsageError("Say where to copy to: --to postgres://USER@HOST/NAME, --to sqlite:FILE, or --to-file FILE.");
  }
  const origin = to === undefined ? "--to-file" : "--to";
  const url = to ?? readSecretFile(file ?? "", origin).text.trim();
  const path = /^sqlite:(?:\/\/)?(.+)$/.exec(url)?.[1];
  if (path !== undefined) return { file: resolve(path) };
  const postgres = parsePostgresUrl(new Secret(url), origin);
  if (to !== undefined && postgres.password !== undefined) {
    throw new UsageError(
      "The password in --to can be read by everybody who lists the processes of this machine: put the URL in a file of mode 0600, and say --to-file FILE.",
    );
  }
  return { postgres };
}

function named(verb: string, name: string | undefined): string {
  if (name !== undefined) return name;
  throw new UsageError(`Say which file: loom-server db ${verb} FILE.`);
}
