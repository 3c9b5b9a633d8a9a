import { join, resolve } from "node:path";
import { ROUTE_DIALECTS, type RouteDefinition, type RouteTimeouts } from "@loom/api";
import type { Environment } from "@loom/config";
import {
  dataDirectoryOf,
  type FlagsOfVerbs,
  readFlags,
  refuseFurtherWords,
  refuseOtherFlags,
} from "./command-flags.ts";
import type { RouteQuestion } from "./features/routing/question.ts";
import { isLoopbackName } from "./kit/host-check.ts";
import { UsageError } from "./usage-error.ts";

/** Where the routes are: in a server that runs, or in the database of one. */
export type RoutePlace = {
  readonly dataDirectory: string;
  /** Absent: the database. */
  readonly server?: string;
  readonly tokenFile: string;
};

export type RouteCommand =
  | { readonly type: "help" }
  | { readonly type: "list"; readonly place: RoutePlace }
  | {
      readonly type: "set";
      readonly place: RoutePlace;
      readonly name: string;
      /** A file instead: it holds the definition as JSON. */
      readonly definition: RouteDefinition | { readonly file: string };
      readonly version?: number;
    }
  | { readonly type: "delete"; readonly place: RoutePlace; readonly name: string; readonly version?: number }
  | { readonly type: "explain"; readonly place: RoutePlace; readonly question: RouteQuestion };

const COMMAND = "loom-server route";

export const ROUTE_HELP = `Usage: loom-server route list
       loom-server route set NAME TIER [TIER ...] [flags]
       loom-server route delete NAME
       loom-server route explain MODEL [flags]

Which models stand behind a name. NAME is an alias (default, fast, oracle or another), a model, or a pattern of models
with *. A TIER is TARGET[=WEIGHT],TARGET[=WEIGHT],... and is tried when those before it cannot answer; a TARGET is
provider/model or an alias. A server that runs follows within a second.

  loom-server route set oracle anthropic/claude-opus-5=70,vertex/claude-opus-5=30 openai/gpt-5.4

  --timeout KIND=SECONDS  of set: connect, headers, firstEvent, gap or complete; may be repeated
  --from FILE             of set: the whole route as JSON, as the API takes it, instead of tiers
  --version N             of set and delete: only if the route is at this version; 0: only if there is none
  --provider P, --dialect D, --subject KIND/ID, --session S
                          of explain: as a request of that kind would go
  --server URL            of all four: work on a server that runs, which knows its providers and circuit breakers
                          (default: on its database; which providers there are is then judged by this shell's environment)
  --token-file FILE       its token (default: owner-token in the data directory)
  --data DIR              where the server's database lives (LOOM_SERVER_DATA_DIR)
  --help
`;

const FLAGS = {
  timeout: { type: "string", multiple: true },
  from: { type: "string" },
  version: { type: "string" },
  provider: { type: "string" },
  dialect: { type: "string" },
  subject: { type: "string" },
  session: { type: "string" },
  server: { type: "string" },
  "token-file": { type: "string" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const EVERYWHERE = ["server", "token-file", "data", "help"];
const FLAGS_OF: FlagsOfVerbs = {
  list: [],
  set: ["timeout", "from", "version"],
  delete: ["version"],
  explain: ["provider", "dialect", "subject", "session"],
};

/** What stands after `loom-server route`. @throws UsageError */
export function parseRouteCommand(args: readonly string[], env: Environment): RouteCommand {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, name, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { type: "help" };
  if (FLAGS_OF[verb] === undefined) {
    throw new UsageError(`There is no loom-server route ${verb}: use list, set, delete or explain.`);
  }
  refuseOtherFlags(COMMAND, verb, values, FLAGS_OF, EVERYWHERE);
  if (verb !== "set") refuseFurtherWords(COMMAND, rest);
  const dataDirectory = dataDirectoryOf(values.data, env);
  const place: RoutePlace = {
    dataDirectory,
    tokenFile: resolve(values["token-file"] ?? join(dataDirectory, "owner-token")),
    ...(values.server === undefined ? {} : { server: readServer(values.server) }),
  };
  const version = values.version === undefined ? {} : { version: readVersion(values.version) };
  switch (verb) {
    case "list":
      if (name !== undefined) throw new UsageError("loom-server route list takes no name.");
      return { type: "list", place };
    case "delete":
      return { type: "delete", place, name: named(verb, name), ...version };
    case "explain":
      return { type: "explain", place, question: { model: named(verb, name), ...readQuestion(values) } };
    default: {
      const definition =
        values.from === undefined ? readDefinition(rest, values.timeout ?? []) : { file: resolve(values.from) };
      if (values.from !== undefined && (rest.length > 0 || values.timeout !== undefined)) {
        throw new UsageError("--from gives the whole route: leave the tiers and --timeout out.");
      }
      return { type: "set", place, name: named(verb, name), definition, ...version };
    }
  }
}

function named(verb: string, name: string | undefined): string {
  if (name !== undefined && name !== "") return name;
  throw new UsageError(`Say which: loom-server route ${verb} ${verb === "explain" ? "MODEL" : "NAME"}.`);
}

function readDefinition(tiers: readonly string[], timeouts: readonly string[]): RouteDefinition {
  if (tiers.length === 0) {
    throw new UsageError("Say where it leads: loom-server route set NAME provider/model[=WEIGHT],... [NEXT TIER ...].");
  }
  const read = readTimeouts(timeouts);
  return {
    tiers: tiers.map((tier) => tier.split(",").map(readTarget)),
    ...(Object.keys(read).length === 0 ? {} : { timeouts: read }),
  };
}

function readTarget(text: string): { readonly target: string; readonly weight?: number } {
  const match = /^([^=\s]+)(?:=(\d{1,4}))?$/.exec(text.trim());
  if (match === null) {
    throw new UsageError(
      `${JSON.stringify(text)} is no target: give provider/model or an alias, and =WEIGHT if you like.`,
    );
  }
  return { target: match[1] ?? "", ...(match[2] === undefined ? {} : { weight: Number(match[2]) }) };
}

const KINDS = ["connect", "headers", "firstEvent", "gap", "complete"] as const;

function readTimeouts(texts: readonly string[]): RouteTimeouts {
  const read: { -readonly [Kind in keyof RouteTimeouts]: RouteTimeouts[Kind] } = {};
  for (const text of texts) {
    const [name, seconds = ""] = text.split("=");
    const kind = KINDS.find((each) => each === name);
    if (kind === undefined || !/^\d+(\.\d{1,3})?$/.test(seconds)) {
      throw new UsageError(`--timeout has to look like firstEvent=20, with one of ${KINDS.join(", ")}.`);
    }
    read[kind] = Number(seconds);
  }
  return read;
}

function readQuestion(values: {
  readonly provider?: string | undefined;
  readonly dialect?: string | undefined;
  readonly subject?: string | undefined;
  readonly session?: string | undefined;
}): Omit<RouteQuestion, "model"> {
  const { provider, subject, session } = values;
  const dialect = ROUTE_DIALECTS.find((each) => each === values.dialect);
  if (values.dialect !== undefined && dialect === undefined) {
    throw new UsageError(`--dialect has to be one of ${ROUTE_DIALECTS.join(", ")}.`);
  }
  if (subject !== undefined && !/^[^/]+\/./.test(subject)) {
    throw new UsageError("--subject has to look like token/owner.");
  }
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(subject === undefined ? {} : { subject }),
    ...(session === undefined ? {} : { session }),
  };
}

function readServer(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "https:") return url.href;
  if (url?.protocol === "http:") {
    if (isLoopbackName(url.hostname)) return url.href;
    throw new UsageError(`A token does not go to ${url.host} without TLS: give --server an address with https.`);
  }
  throw new UsageError("--server has to be an address such as http://127.0.0.1:5666.");
}

function readVersion(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError("--version has to be a number, as loom-server route list shows it.");
}
