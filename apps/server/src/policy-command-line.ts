import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Environment, loomDirectories } from "@loom/config";
import type { ExplainWish } from "./features/policy/explain-question.ts";
import { UsageError } from "./usage-error.ts";

export type PolicyCommand =
  | { readonly type: "help" }
  | { readonly type: "check"; readonly files: readonly string[]; readonly dataDirectory: string }
  | { readonly type: "explain"; readonly wish: ExplainWish; readonly dataDirectory: string };

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
  --data DIR            where the SQLite file lives (LOOM_SERVER_DATA_DIR)
  --help
`;

const VISIBILITIES = ["private", "team", "organization", "unlisted", "public"] as const;

/** What stands after `loom-server policy`. @throws UsageError */
export function parsePolicyCommand(args: readonly string[], env: Environment): PolicyCommand {
  const { values, positionals } = parseFlags(args);
  const [verb, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  const dataDirectory = resolve(values.data ?? (env.LOOM_SERVER_DATA_DIR || join(loomDirectories(env).data, "server")));
  if (verb === "check") return { type: "check", files: rest, dataDirectory };
  if (verb !== "explain") throw new UsageError(`There is no loom-server policy ${verb}: use explain or check.`);
  if (rest.length > 0) throw new UsageError(`${JSON.stringify(rest[0])} is too much: see loom-server policy --help.`);
  return { type: "explain", wish: wishOf(values), dataDirectory };
}

function wishOf(values: ReturnType<typeof parseFlags>["values"]): ExplainWish {
  const { subject, action, owner, organization, team, scopes } = values;
  if (subject === undefined || action === undefined || values.resource === undefined) {
    throw new UsageError("Say who, what and about what: --subject WHO --action ACTION --resource TYPE[:ID].");
  }
  const [, resource = "", id] = /^([^:]*)(?::(.*))?$/s.exec(values.resource) ?? [];
  const visibility = VISIBILITIES.find((each) => each === values.visibility);
  if (values.visibility !== undefined && visibility === undefined) {
    throw new UsageError(`--visibility is one of ${VISIBILITIES.join(", ")}.`);
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
  };
}

function parseFlags(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        subject: text,
        action: text,
        resource: text,
        owner: text,
        organization: text,
        team: text,
        visibility: text,
        "shared-with-support": { type: "boolean" },
        scopes: text,
        data: text,
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    const sentence = error instanceof Error ? (error.message.split(".")[0] ?? "") : String(error);
    throw new UsageError(`${sentence}: see loom-server policy --help.`);
  }
}
