import { type NewToken, TOKEN_SCOPES, type TokenScope } from "@loom/api";
import type { Environment } from "@loom/config";
import {
  dataDirectoryOf,
  type FlagsOfVerbs,
  readFlags,
  refuseFurtherWords,
  refuseOtherFlags,
} from "./command-flags.ts";
import { readExpiry, readLimits } from "./limit-flags.ts";
import { UsageError } from "./usage-error.ts";

export type TokenCommand =
  | { readonly type: "help" }
  | { readonly type: "create"; readonly dataDirectory: string; readonly wish: NewToken }
  | { readonly type: "list"; readonly dataDirectory: string }
  | { readonly type: "show" | "revoke"; readonly dataDirectory: string; readonly token: string };

const COMMAND = "loom-server token";
const FLAGS = {
  expires: { type: "string" },
  scope: { type: "string", multiple: true },
  budget: { type: "string", multiple: true },
  rpm: { type: "string" },
  tpm: { type: "string" },
  concurrency: { type: "string" },
  model: { type: "string", multiple: true },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const FLAGS_OF: FlagsOfVerbs = { create: Object.keys(FLAGS).filter((flag) => flag !== "data" && flag !== "help") };

export const TOKEN_HELP = `Usage: loom-server token create NAME [flags]
       loom-server token list
       loom-server token show NAME
       loom-server token revoke NAME

Access tokens besides the owner's. \`create\` prints the token, which cannot be read again. A server that runs follows
within seconds. NAME may be an id.

  --expires TIME          the token ends after TIME, e.g. 12h, 30d or 4w (default: never)
  --scope SCOPE           llm:use (default), usage:read or admin; may be repeated
  --budget LIMITS         US dollars, e.g. day=5usd,month=50usd,total=200usd; days and months of UTC
  --rpm N, --tpm N        requests and tokens per minute
  --concurrency N         requests that run at once
  --model PATTERN         only these models, e.g. claude-*; may be repeated
  --data DIR              where the server's database lives (LOOM_SERVER_DATA_DIR)
  --help
`;

/** What stands after `loom-server token`. @throws UsageError */
export function parseTokenCommand(args: readonly string[], env: Environment, now: number): TokenCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, name, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  const dataDirectory = dataDirectoryOf(values.data, env);
  refuseFurtherWords(COMMAND, rest);
  refuseOtherFlags(COMMAND, verb, values, FLAGS_OF);
  switch (verb) {
    case "list":
      if (name !== undefined) throw new UsageError("loom-server token list takes no name.");
      return { type: "list", dataDirectory };
    case "show":
    case "revoke":
      return { type: verb, dataDirectory, token: named(verb, name) };
    case "create": {
      const limits = readLimits(values);
      const wish = {
        name: named(verb, name),
        limits,
        ...(values.scope === undefined ? {} : { scopes: values.scope.flatMap(readScopes) }),
        ...(values.expires === undefined ? {} : { expiresAt: readExpiry(values.expires, now).toISOString() }),
      };
      return { type: "create", dataDirectory, wish };
    }
    default:
      throw new UsageError(`There is no loom-server token ${verb}: use create, list, show or revoke.`);
  }
}

function named(verb: string, name: string | undefined): string {
  if (name !== undefined) return name;
  throw new UsageError(`Say which token: loom-server token ${verb} NAME.`);
}

function readScopes(text: string): TokenScope[] {
  return text.split(",").map((name) => {
    const scope = TOKEN_SCOPES.find((each) => each === name.trim());
    if (scope !== undefined) return scope;
    throw new UsageError(`${JSON.stringify(name)} is no scope: use ${TOKEN_SCOPES.join(", ")}.`);
  });
}
