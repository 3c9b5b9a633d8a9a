import type { Environment } from "@loom/config";
import { dataDirectoryOf, readFlags, refuseFurtherWords } from "./command-flags.ts";
import type { ExplainWish } from "./features/policy/explain-question.ts";
import { UsageError } from "./usage-error.ts";

export type PolicyCommand =
  | { readonly type: "help" }
  | { readonly type: "check"; readonly files: readonly string[]; readonly dataDirectory: string }
  | { readonly type: "explain"; readonly wish: ExplainWish; readonly dataDirectory: string };

const COMMAND = "loom-server policy";
const FLAGS = {
  subject: { type: "string" },
  action: { type: "string" },
  resource: { type: "string" },
  owner: { type: "string" },
  organization: { type: "string" },
  team: { type: "string" },
  visibility: { type: "string" },
  "shared-with-support": { type: "boolean" },
  scopes: { type: "string" },
  "second-factor": { type: "string" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const POLICY_HELP = `Usage: loom-server policy explain --subject WHO --action ACTION --resource TYPE[:ID] [flags]
       loom-server policy check [FILE...]

Says who may do what, and why.

  explain    allowed or denied, the policy that decided and its text, and what would be needed; reads the database for the
             roles that somebody has now
  check      the server's own policies fit their schema; each FILE holds a policy that an organization may add

  --subject WHO         a user's id or username, or owner, or anonymous
  --action ACTION       read, write, share, ...
  --resource TYPE[:ID]  thread, organization:org-..., ...
  --owner ID            whose it is
  --organization ID     where it is
  --team ID
  --visibility V        private, team, organization, unlisted or public
  --shared-with-support
  --scopes A,B          as by an API key of the user that has these scopes
  --second-factor S     given or missing: whether the user signed in, or made the key, with a second factor; without this,
                        who has one signed in with it, and keys were made without
  --data DIR            where the SQLite file lives (LOOM_SERVER_DATA_DIR)
  --help
`;

const VISIBILITIES = ["private", "team", "organization", "unlisted", "public"] as const;

/** What stands after `loom-server policy`. @throws UsageError */
export function parsePolicyCommand(args: readonly string[], env: Environment): PolicyCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  const dataDirectory = dataDirectoryOf(values.data, env);
  if (verb === "check") return { type: "check", files: rest, dataDirectory };
  if (verb !== "explain") throw new UsageError(`There is no loom-server policy ${verb}: use explain or check.`);
  refuseFurtherWords(COMMAND, rest);
  return { type: "explain", wish: wishOf(values), dataDirectory };
}

type Values = ReturnType<typeof readFlags<typeof FLAGS>>["values"];

function wishOf(values: Values): ExplainWish {
  const { subject, action, owner, organization, team, scopes } = values;
  if (subject === undefined || action === undefined || values.resource === undefined) {
    throw new UsageError("Say who, what and about what: --subject WHO --action ACTION --resource TYPE[:ID].");
  }
  const [, resource = "", id] = /^([^:]*)(?::(.*))?$/s.exec(values.resource) ?? [];
  const visibility = VISIBILITIES.find((each) => each === values.visibility);
  if (values.visibility !== undefined && visibility === undefined) {
    throw new UsageError(`--visibility is one of ${VISIBILITIES.join(", ")}.`);
  }
  const factor = values["second-factor"];
  if (factor !== undefined && factor !== "given" && factor !== "missing") {
    throw new UsageError("--second-factor is given or missing.");
  }
  const sharedWithSupport = values["shared-with-support"];
  return {
    subject,
    action,
    resource,
    id,
    owner,
    organization,
    team,
    visibility,
    sharedWithSupport,
    scopes: scopes?.split(","),
    secondFactor: factor === undefined ? undefined : factor === "given",
  };
}
