import type { BudgetLimits } from "@loom/api";
import type { Environment } from "@loom/config";
import { dataDirectoryOf, readFlags, refuseFurtherWords } from "./command-flags.ts";
import { BUDGET_KINDS, MAX_BUDGET_ID } from "./features/budgets/kinds.ts";
import { readLimits } from "./limit-flags.ts";
import { UsageError } from "./usage-error.ts";

/** `token/ci`: what has limits. */
export type LimitedNode = { readonly kind: string; readonly id: string };

export type BudgetCommand =
  | { readonly type: "help" }
  | { readonly type: "list"; readonly dataDirectory: string }
  | { readonly type: "show" | "remove"; readonly dataDirectory: string; readonly node: LimitedNode }
  | {
      readonly type: "set";
      readonly dataDirectory: string;
      readonly node: LimitedNode;
      readonly limits: BudgetLimits;
    };

const COMMAND = "loom-server budget";
const FLAGS = {
  budget: { type: "string", multiple: true },
  rpm: { type: "string" },
  tpm: { type: "string" },
  concurrency: { type: "string" },
  model: { type: "string", multiple: true },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const BUDGET_HELP = `Usage: loom-server budget set KIND/ID [flags]
       loom-server budget list
       loom-server budget show KIND/ID
       loom-server budget remove KIND/ID

Limits of whatever requests are charged to. KIND is ${BUDGET_KINDS.join(", ")};
in an ID, * stands for anything. A token may be given by its name. \`set\` replaces the limits that there were. A server
that runs follows within a second.

  loom-server budget set team/team-0198... --budget month=500usd --model 'claude-*'

  --budget LIMITS         US dollars, e.g. day=5usd,month=50usd,total=200usd; days and months of UTC
  --rpm N, --tpm N        requests and tokens per minute
  --concurrency N         requests that run at once
  --model PATTERN         only these models, e.g. claude-*; may be repeated
  --data DIR              where the server's database lives (LOOM_SERVER_DATA_DIR)
  --help
`;

/** What stands after `loom-server budget`. @throws UsageError */
export function parseBudgetCommand(args: readonly string[], env: Environment): BudgetCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, name, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  const dataDirectory = dataDirectoryOf(values.data, env);
  refuseFurtherWords(COMMAND, rest);
  if (verb !== "set") refuseLimits(verb, values);
  switch (verb) {
    case "list":
      if (name !== undefined) throw new UsageError("loom-server budget list takes no name.");
      return { type: "list", dataDirectory };
    case "show":
    case "remove":
      return { type: verb, dataDirectory, node: readNode(verb, name) };
    case "set": {
      const node = readNode(verb, name);
      const limits = readLimits(values);
      if (Object.keys(limits).length === 0) {
        throw new UsageError("Give a limit, e.g. --budget month=50usd; loom-server budget remove lifts all of them.");
      }
      return { type: "set", dataDirectory, node, limits };
    }
    default:
      throw new UsageError(`There is no loom-server budget ${verb}: use set, list, show or remove.`);
  }
}

function refuseLimits(verb: string, values: object): void {
  const flag = Object.keys(values).find((name) => name !== "data");
  if (flag !== undefined) throw new UsageError(`--${flag} is a flag of loom-server budget set, not of ${verb}.`);
}

/** Ids of sessions have a slash in them. */
function readNode(verb: string, text: string | undefined): LimitedNode {
  if (text === undefined) throw new UsageError(`Say whose: loom-server budget ${verb} KIND/ID, e.g. token/ci.`);
  const slash = text.indexOf("/");
  const [kind, id] = [text.slice(0, Math.max(0, slash)), text.slice(slash + 1)];
  if (slash === -1 || !BUDGET_KINDS.includes(kind)) {
    throw new UsageError(
      `${JSON.stringify(text.slice(0, 80))} has to be KIND/ID, with one of ${BUDGET_KINDS.join(", ")} before the slash.`,
    );
  }
  if (id === "" || id.length > MAX_BUDGET_ID) {
    throw new UsageError(`The id behind ${kind}/ must have 1 to ${MAX_BUDGET_ID} characters.`);
  }
  return { kind, id };
}
