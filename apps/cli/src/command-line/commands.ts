import { SERVER_COMMANDS } from "./server-commands.ts";
import { COMMON_FLAGS, JSON_FLAG } from "./shared-flags.ts";
import type { CommandSpec, FlagSpec } from "./specification.ts";

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

const LIMIT_FLAG: FlagSpec = {
  name: "--limit",
  value: "N",
  description: "At most N; default: 1000, or 20 of a search.",
};

/** Which threads are meant. */
const FILTER_FLAGS: readonly FlagSpec[] = [
  { name: "--repository", value: "NAME", description: "Of this remote: host/owner/name, or the end of it." },
  { name: "--model", value: "NAME", description: "Answered by a model with this in its name." },
  { name: "--tag", value: "A,B", description: "With all of these tags." },
  {
    name: "--visibility",
    value: "LEVEL",
    choices: ["private", "team", "organization", "public"],
    description: "Of this visibility.",
  },
  { name: "--pinned", description: "Pinned ones only." },
  { name: "--since", value: "TIME", description: "Used (in a search: said) since then: 12h, 7d, 2w or a date." },
  { name: "--until", value: "TIME", description: "Used (in a search: said) before then." },
];

const EVERYONE_FLAG: FlagSpec = {
  name: "--everyone",
  description: "With a server: also threads of others that you may see there.",
};

const THREAD_ID = { name: "ID", required: true, description: "Thread id, the start of one, or its last characters." };

const UNDO_FLAG: FlagSpec = { name: "--undo", description: "Take it back." };

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
    flags: [
      { name: "--fork", description: "Go on in a copy; the thread itself stays as it is, and may be open elsewhere." },
      ...HEADLESS_FLAGS,
      ...MODEL_FLAGS,
      ...COMMON_FLAGS,
    ],
    load: () => import("../commands/resume.ts"),
  },
  {
    name: "private",
    summary: "Start a conversation whose thread never leaves this machine; with -p, run one prompt and exit.",
    details: [
      "What is said in it goes to the model, as always; the thread is on no server, and no sync ever sends it.",
    ],
    arguments: [],
    flags: [...HEADLESS_FLAGS, ...MODEL_FLAGS, ...COMMON_FLAGS],
    load: () => import("../commands/private.ts"),
  },
  {
    name: "list",
    summary: "List the threads of this workspace, newest first.",
    arguments: [],
    flags: [
      { name: "--all", description: "Threads of every workspace." },
      ...FILTER_FLAGS,
      EVERYONE_FLAG,
      { name: "--deleted", description: "Those in the trash." },
      LIMIT_FLAG,
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: () => import("../commands/list.ts"),
  },
  {
    name: "search",
    summary: "Find what was said and done in all threads, best first.",
    details: [
      'Words all have to be there; "several words" in this order; -word must not be; one OR other. Anything that breaks',
      "these rules is searched literally. fooBar, foo_bar and foobar find each other; accents do not matter. 7 to 40",
      "hexadecimal digits find commits first. Titles, tags, branches, remotes and tool outputs (their first 32 KB) count.",
    ],
    arguments: [{ name: "QUERY", required: true, description: "What to look for." }],
    flags: [
      { name: "--here", description: "Threads of this workspace only." },
      ...FILTER_FLAGS,
      EVERYONE_FLAG,
      LIMIT_FLAG,
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: () => import("../commands/search.ts"),
  },
  {
    name: "threads show",
    summary: "Show a thread: what is known of it, then what was said and done.",
    arguments: [THREAD_ID],
    flags: [
      { name: "--full", description: "Tool outputs to their end, not only their first lines." },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/threads-show.ts")).show }),
  },
  {
    name: "threads export",
    summary: "Write a thread as Markdown, or as JSON with everything that is in it.",
    arguments: [THREAD_ID],
    flags: [
      { name: "--format", value: "FORMAT", choices: ["markdown", "json"], description: "markdown (default) or json." },
      { name: "--output", short: "-o", value: "FILE", description: "Write to FILE, which must not exist yet." },
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/threads-export.ts")).run }),
  },
  {
    name: "threads import",
    summary: "Make a thread of a session file of Loom, Claude Code, Codex or opencode.",
    details: [
      "Prints the id of the new thread. A file that is damaged is refused, with the line; nothing is left behind.",
    ],
    arguments: [
      { name: "FILE", required: true, description: "A thread's file, an export, or another agent's session." },
    ],
    flags: [
      {
        name: "--format",
        value: "FORMAT",
        choices: ["loom", "claude-code", "codex", "opencode"],
        description: "Whose file it is; found out unless given.",
      },
      { name: "--private", description: "The new thread never leaves this machine." },
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/threads-import.ts")).run }),
  },
  {
    name: "threads title",
    summary: "Give a thread another title.",
    arguments: [THREAD_ID, { name: "TITLE", required: true, description: "One line, at most 200 characters." }],
    flags: COMMON_FLAGS,
    load: async () => ({ run: (await import("../commands/threads-change.ts")).title }),
  },
  {
    name: "threads tag",
    summary: "Add tags to a thread, or take them away.",
    arguments: [THREAD_ID, { name: "TAGS", required: true, description: "Separated by commas." }],
    flags: [{ name: "--undo", description: "Take these tags away." }, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/threads-change.ts")).tag }),
  },
  {
    name: "threads pin",
    summary: "Pin a thread: no clean-up removes it.",
    arguments: [THREAD_ID],
    flags: [UNDO_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/threads-change.ts")).pin }),
  },
  {
    name: "threads visibility",
    summary: "Say who may see a thread once it is on a server.",
    arguments: [THREAD_ID, { name: "LEVEL", required: true, description: "private, team, organization or public." }],
    flags: COMMON_FLAGS,
    load: async () => ({ run: (await import("../commands/threads-change.ts")).visibility }),
  },
  {
    name: "threads private",
    summary: "Keep a thread on this machine, whatever its visibility is.",
    arguments: [THREAD_ID],
    flags: [UNDO_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/threads-change.ts")).keepPrivate }),
  },
  {
    name: "threads delete",
    summary: "Put a thread into the trash, from where it can be restored until a clean-up.",
    arguments: [THREAD_ID],
    flags: [{ name: "--now", description: "Remove it at once, for good." }, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/threads-delete.ts")).run }),
  },
  {
    name: "threads restore",
    summary: "Take a thread out of the trash.",
    arguments: [THREAD_ID],
    flags: COMMON_FLAGS,
    load: async () => ({ run: (await import("../commands/threads-change.ts")).restore }),
  },
  {
    name: "threads gc",
    summary: "Clean up: remove threads whose time is over, and outputs that no thread refers to.",
    details: [
      "Removed are threads that were in the trash for threads.trash_days, and those not used for threads.retention_days",
      "where that is set. Pinned, open and damaged threads stay.",
    ],
    arguments: [],
    flags: [{ name: "--dry-run", description: "Only say what would be removed." }, JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/threads-gc.ts")).run }),
  },
  {
    name: "share",
    summary: "Let others read a thread on the server: by a link, or by who may see it.",
    details: [
      "Without flags, makes a link with which anybody can read the thread, and prints it; an earlier link is void then.",
    ],
    arguments: [
      { name: "ID", required: false, description: "Thread id or the start of one; default: the workspace's newest." },
    ],
    flags: [
      { name: "--expires", value: "TIME", description: "The link holds so long: 12h, 7d, 2w, or until a date." },
      {
        name: "--visibility",
        value: "LEVEL",
        choices: ["private", "team", "organization", "public"],
        description: "Instead of a link: who may see it from now on.",
      },
      { name: "--support", description: "Let the support read it, which has asked for that, for 31 days." },
      { name: "--revoke", description: "Void the link; with --support, what the support was allowed." },
      ...COMMON_FLAGS,
    ],
    load: () => import("../commands/share.ts"),
  },
  {
    name: "sync",
    summary: "Show how far threads are the same here and on the server, or make them the same now.",
    details: [
      "Sessions sync by themselves, after each turn and at their end. status (default) asks nobody and needs no sign-in: it",
      "says what is not on the server yet, what went wrong, and when it is tried again. now tries everything at once,",
      "and sends long outputs that the server has lost.",
    ],
    arguments: [{ name: "ACTION", required: false, description: "status (default) or now." }],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: () => import("../commands/sync.ts"),
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
  ...SERVER_COMMANDS,
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
