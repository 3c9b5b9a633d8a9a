import { AUDIT_FILTERS, type AuditQuery } from "@loom/api";
import type { Environment } from "@loom/config";
import {
  dataDirectoryOf,
  type FlagsOfVerbs,
  readFlags,
  refuseFurtherWords,
  refuseOtherFlags,
} from "./command-flags.ts";
import { UsageError } from "./usage-error.ts";

export type AuditCommand =
  | { readonly type: "help" }
  | {
      readonly type: "verify";
      readonly dataDirectory: string;
      readonly end: { readonly seq: number; readonly hash: string } | undefined;
    }
  | {
      readonly type: "list";
      readonly dataDirectory: string;
      readonly filter: AuditQuery;
      readonly limit: number;
      readonly json: boolean;
    }
  | { readonly type: "seal"; readonly dataDirectory: string };

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000_000;

const COMMAND = "loom-server audit";
const FLAGS = {
  end: { type: "string" },
  actor: { type: "string" },
  impersonator: { type: "string" },
  family: { type: "string" },
  event: { type: "string" },
  target: { type: "string" },
  organization: { type: "string" },
  address: { type: "string" },
  outcome: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  limit: { type: "string" },
  json: { type: "boolean" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const AUDIT_HELP = `Usage: loom-server audit verify [--end SEQ:HASH]
       loom-server audit list [filters] [--limit N] [--json]
       loom-server audit seal

The audit log in the database itself, whether a server runs or not. Every row holds the hash of the row before it.

  verify     walks the chain and names every row that was changed, removed, added or cut off; exits with 1 if there is one
  list       the newest events
  seal       signs the ends of the chain as they are now, after a change of the key or a restored backup; look at
             verify first: nothing that was done before shows at the ends any more

  --end SEQ:HASH   an end that the chain once had, as another system remembers it
  --actor ID, --impersonator ID, --family NAME, --event NAME, --target ID, --organization ID, --address IP
  --outcome OUTCOME  success, failure or denied
  --from TIME, --to TIME   RFC 3339, or a date (UTC)
  --limit N        rows at most (default ${DEFAULT_LIMIT})
  --json           JSON lines
  --data DIR       where the server's database and its audit-key live (LOOM_SERVER_DATA_DIR)
  --help
`;

/** What stands after `loom-server audit`. @throws UsageError */
export function parseAuditCommand(args: readonly string[], env: Environment): AuditCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  refuseFurtherWords(COMMAND, rest);
  const dataDirectory = dataDirectoryOf(values.data, env);
  if (FLAGS_OF[verb] === undefined)
    throw new UsageError(`There is no loom-server audit ${verb}: use verify, list or seal.`);
  refuseOtherFlags(COMMAND, verb, values, FLAGS_OF);
  if (verb === "verify") return { type: verb, dataDirectory, end: readEnd(values.end) };
  if (verb === "seal") return { type: verb, dataDirectory };
  return {
    type: "list",
    dataDirectory,
    filter: readFilter(values),
    limit: readLimit(values.limit),
    json: values.json === true,
  };
}

const FLAGS_OF: FlagsOfVerbs = {
  verify: ["end"],
  list: [...AUDIT_FILTERS, "limit", "json"],
  seal: [],
};

function readEnd(text: string | undefined) {
  if (text === undefined) return undefined;
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match !== null) return { seq: Number(match[1]), hash: match[2] ?? "" };
  throw new UsageError("--end has to be the number of a row and its hash, SEQ:HASH.");
}

function readFilter(values: AuditQuery): AuditQuery {
  for (const flag of ["from", "to"] as const) {
    const value = values[flag];
    if (value !== undefined && !(/^\d{4}-\d{2}-\d{2}(T.*)?$/.test(value) && !Number.isNaN(Date.parse(value)))) {
      throw new UsageError(`--${flag} has to be a time such as 2026-01-31 or 2026-01-31T12:00:00Z.`);
    }
  }
  return Object.fromEntries(AUDIT_FILTERS.map((name) => [name, values[name]]));
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new UsageError(`--limit has to be a whole number from 1 to ${MAX_LIMIT}.`);
}
