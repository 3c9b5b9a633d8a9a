import type { CommandSpec, FlagSpec } from "./specification.ts";

/** Flags that every command knows. */
const COMMON_FLAGS: readonly FlagSpec[] = [
  { name: "--workspace", short: "-w", value: "DIR", description: "Work in DIR instead of the current directory." },
  { name: "--config", short: "-c", value: "FILE", description: "Read FILE instead of the user's configuration file." },
  { name: "--help", short: "-h", description: "Show this help." },
];

const MODEL_FLAGS: readonly FlagSpec[] = [
  { name: "--model", value: "NAME", setting: "model", description: "Model to use: an id, `default` or `fast`." },
  { name: "--provider", value: "NAME", setting: "provider", description: "Provider to ask: anthropic or openai." },
  {
    name: "--max-turns",
    value: "N",
    setting: "limits.max_turns",
    description: "End the turn after N model requests, retries not counted.",
  },
  {
    name: "--allowed-tools",
    value: "A,B",
    setting: "tools.allowed",
    description: "Only these tools, separated by commas.",
  },
];

const HEADLESS_FLAGS: readonly FlagSpec[] = [
  {
    name: "--prompt",
    short: "-p",
    value: "PROMPT",
    description: "Run one turn without a terminal and exit; `-` reads the prompt from standard input to its end.",
  },
  {
    name: "--output-format",
    value: "FORMAT",
    choices: ["text", "json", "stream-json"],
    description: "With -p: text (default), json (the result only) or stream-json (one object per line).",
  },
  {
    name: "--timeout",
    value: "SECONDS",
    setting: "limits.run_timeout_seconds",
    description: "With -p: interrupt, save and exit when the run takes longer.",
  },
];

const JSON_FLAG: FlagSpec = { name: "--json", description: "Print JSON." };

const STDIN_DETAILS = [
  "With -p, what is piped in is added to the prompt as context: at most 1 MiB, if it begins within half a second and as",
  "far as it comes within 5 seconds. So an input that never closes does not matter. `-p -` reads the prompt to its end.",
];

/** Every command: parsing, help, suggestions and documentation come from here. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "",
    summary: "Start a conversation with the agent in this workspace; with -p, run one prompt and exit.",
    details: STDIN_DETAILS,
    arguments: [],
    flags: [
      ...HEADLESS_FLAGS,
      ...MODEL_FLAGS,
      ...COMMON_FLAGS,
      { name: "--version", short: "-V", description: "Show the version." },
    ],
    load: () => import("../commands/chat.ts"),
  },
  {
    name: "resume",
    summary: "Go on with a thread; with -p, run one prompt in it and exit.",
    arguments: [
      { name: "ID", required: false, description: "Thread id or the start of one; default: the workspace's newest." },
    ],
    flags: [...HEADLESS_FLAGS, ...MODEL_FLAGS, ...COMMON_FLAGS],
    load: () => import("../commands/resume.ts"),
  },
  {
    name: "list",
    summary: "List the threads of this workspace, newest first.",
    arguments: [],
    flags: [{ name: "--all", description: "Threads of every workspace." }, JSON_FLAG, ...COMMON_FLAGS],
    load: () => import("../commands/list.ts"),
  },
  {
    name: "replay",
    summary: "Run a thread's event log again and check that it gives the states and actions it recorded.",
    arguments: [{ name: "FILE", required: true, description: "A thread's file." }],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: () => import("../commands/replay.ts"),
  },
  {
    name: "server",
    summary: "Run a Loom server; the same as loom-server.",
    details: ["Everything after `server` goes to it; `loom server --help` shows its flags."],
    arguments: [],
    flags: [],
    passesArguments: true,
    load: () => import("../commands/server.ts"),
  },
  {
    name: "usage",
    summary: "Show what models were used and what that cost.",
    details: [
      "Without a server configured, that is what Loom itself has used on this machine. DIMENSIONS are, separated by commas:",
      "model, requestedModel, upstream, subject, session, client, credential, route, dialect, outcome, hour, day, month and",
      "node:KIND (a kind of what budgets hang on, e.g. node:token). Times are UTC.",
    ],
    arguments: [],
    flags: [
      { name: "--by", value: "DIMENSIONS", description: "Group by these; default: model." },
      { name: "--since", value: "TIME", description: "From then on: 12h, 7d, 2w or a date; default: 30d." },
      JSON_FLAG,
      { name: "--csv", description: "Print CSV." },
      ...COMMON_FLAGS,
    ],
    load: () => import("../commands/usage.ts"),
  },
  {
    name: "config show",
    summary: "Show every setting with its value and where the value came from.",
    arguments: [],
    flags: [JSON_FLAG, ...MODEL_FLAGS, ...COMMON_FLAGS],
    load: () => import("../commands/config-show.ts"),
  },
  {
    name: "version",
    summary: "Show the version, the runtime and the platform.",
    arguments: [],
    flags: [JSON_FLAG, { name: "--help", short: "-h", description: "Show this help." }],
    load: () => import("../commands/version.ts"),
  },
];
