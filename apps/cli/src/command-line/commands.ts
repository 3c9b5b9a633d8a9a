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

const AUDIT_FLAGS: readonly FlagSpec[] = [
  { name: "--org", value: "ORG", description: "Only what concerns this organization, by its slug or id." },
  {
    name: "--actor",
    value: "ID",
    description: "Only what this user, key or token did; owner for who runs the server.",
  },
  { name: "--impersonator", value: "ID", description: "Only what this user did in another's place." },
  { name: "--family", value: "NAME", description: "Only events of this family, e.g. session." },
  { name: "--event", value: "NAME", description: "Only this event, e.g. token.created." },
  { name: "--target", value: "ID", description: "Only what was done to the thing with this id." },
  { name: "--address", value: "IP", description: "Only requests from this address." },
  {
    name: "--outcome",
    value: "OUTCOME",
    choices: ["success", "failure", "denied"],
    description: "Only events that ended like this: success, failure or denied.",
  },
  { name: "--since", value: "TIME", description: "Not before: 12h, 7d, 2w or a date." },
  { name: "--until", value: "TIME", description: "Before: 12h, 7d, 2w or a date." },
];

const ORG = { name: "ORG", required: true, description: "The organization's slug or id." };
const TEAM = { name: "TEAM", required: true, description: "The team's slug or id." };
const USER = { name: "USER", required: true, description: "A username or a user's id." };
const NEW_SLUG = {
  name: "SLUG",
  required: true,
  description: "Lower-case letters, digits and hyphens; how it is called.",
};
const NAMING_FLAGS: readonly FlagSpec[] = [
  { name: "--name", value: "NAME", description: "How people read it; default: the slug." },
  { name: "--description", value: "TEXT", description: "What it is for." },
];
const ORG_ROLE_FLAG: FlagSpec = {
  name: "--role",
  value: "ROLE",
  choices: ["owner", "admin", "member"],
  description: "owner, admin or member (default).",
};
const TEAM_ROLE_FLAG: FlagSpec = {
  name: "--role",
  value: "ROLE",
  choices: ["maintainer", "member"],
  description: "maintainer or member (default).",
};

const KEY_ID = { name: "ID", required: true, description: "The key's id, as loom key list shows it." };
const ORG_OF_KEY_FLAG: FlagSpec = {
  name: "--org",
  value: "ORG",
  description: "Of this organization, in place of your own.",
};

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
      "Sessions sync by themselves, after each turn and at their end. status (default) asks nobody: it says what is not on",
      "the server yet, what went wrong, and when it is tried again. now tries everything at once.",
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
  {
    name: "login",
    summary: "Sign in to a Loom server, through a browser on this or on another machine.",
    details: [
      "SERVER is its address; default: the configured one. Where no server is configured, it becomes the one that Loom uses.",
      "The token goes into the desktop's keyring (secret-tool), else into credentials.json, which only you can read;",
      "LOOM_KEYRING=off leaves the keyring alone.",
    ],
    arguments: [{ name: "SERVER", required: false, description: "e.g. https://loom.example.com" }],
    flags: [
      { name: "--device", description: "Show a code to type in a browser elsewhere, as over SSH." },
      ...COMMON_FLAGS,
    ],
    load: () => import("../commands/login.ts"),
  },
  {
    name: "logout",
    summary: "Sign out of a Loom server: its session ends there, and the token is forgotten here.",
    arguments: [{ name: "SERVER", required: false, description: "Default: the configured one." }],
    flags: [...COMMON_FLAGS],
    load: () => import("../commands/logout.ts"),
  },
  {
    name: "whoami",
    summary: "Show who the server knows you as.",
    arguments: [{ name: "SERVER", required: false, description: "Default: the configured one." }],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: () => import("../commands/whoami.ts"),
  },
  {
    name: "org list",
    summary: "List the organizations that you belong to.",
    details: ["Organizations and teams are on the configured Loom server (LOOM_SERVER_URL)."],
    arguments: [],
    flags: [
      { name: "--all", description: "Public ones too." },
      { name: "--deleted", description: "Those of yours that can be restored." },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/org.ts")).list }),
  },
  {
    name: "org create",
    summary: "Found an organization; you own it.",
    arguments: [NEW_SLUG],
    flags: [
      ...NAMING_FLAGS,
      {
        name: "--visibility",
        value: "LEVEL",
        choices: ["public", "unlisted", "private"],
        description: "Who sees it: public (default), unlisted (who knows its name) or private (its members).",
      },
      {
        name: "--join",
        value: "POLICY",
        choices: ["open", "request", "invite"],
        description: "How one joins: open, request (somebody has to approve) or invite (default).",
      },
      { name: "--owner", value: "USER", description: "Who owns it; for who runs the server." },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/org.ts")).create }),
  },
  {
    name: "org show",
    summary: "Show what an organization says of itself.",
    arguments: [ORG],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).show }),
  },
  {
    name: "org members",
    summary: "List who belongs to an organization, and as what.",
    arguments: [ORG],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).members }),
  },
  {
    name: "org invite",
    summary: "Invite somebody; prints the token that accepts it, once.",
    details: ["The invitation is good for 30 days and for the person whose verified e-mail address it is for."],
    arguments: [ORG, { name: "WHOM", required: true, description: "An e-mail address or a username." }],
    flags: [ORG_ROLE_FLAG, JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).invite }),
  },
  {
    name: "org accept",
    summary: "Accept an invitation; its token is read from standard input.",
    arguments: [],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).accept }),
  },
  {
    name: "org role",
    summary: "Give a member another role.",
    arguments: [ORG, USER, { name: "ROLE", required: true, description: "owner, admin or member." }],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).role }),
  },
  {
    name: "org remove",
    summary: "Remove somebody from an organization, or leave it.",
    arguments: [ORG, USER],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).remove }),
  },
  {
    name: "org delete",
    summary: "Delete an organization; for 90 days it can be restored.",
    arguments: [ORG],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).deleteOrganization }),
  },
  {
    name: "org restore",
    summary: "Bring a deleted organization back.",
    arguments: [ORG],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org.ts")).restore }),
  },
  {
    name: "team list",
    summary: "List the teams of an organization.",
    arguments: [ORG],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/team.ts")).list }),
  },
  {
    name: "team create",
    summary: "Make a team.",
    arguments: [ORG, NEW_SLUG],
    flags: [...NAMING_FLAGS, JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/team.ts")).create }),
  },
  {
    name: "team members",
    summary: "List who is in a team, and as what.",
    arguments: [ORG, TEAM],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/team.ts")).members }),
  },
  {
    name: "team add",
    summary: "Put a member of the organization into a team, or give him another role in it.",
    arguments: [ORG, TEAM, USER],
    flags: [TEAM_ROLE_FLAG, JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/team.ts")).add }),
  },
  {
    name: "team remove",
    summary: "Take somebody out of a team, or leave it.",
    arguments: [ORG, TEAM, USER],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/team.ts")).remove }),
  },
  {
    name: "team delete",
    summary: "Dissolve a team for good.",
    arguments: [ORG, TEAM],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/team.ts")).deleteTeam }),
  },
  {
    name: "key list",
    summary: "List your API keys, or those of an organization.",
    details: ["API keys are for programs. They are on the configured Loom server (LOOM_SERVER_URL)."],
    arguments: [],
    flags: [ORG_OF_KEY_FLAG, JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/key.ts")).list }),
  },
  {
    name: "key create",
    summary: "Make an API key and print it: it is shown this once.",
    arguments: [{ name: "NAME", required: true, description: "For you to know it by." }],
    flags: [
      ORG_OF_KEY_FLAG,
      { name: "--scope", value: "A,B", description: "What it may do: llm:use (default), threads:read, ..." },
      { name: "--expires", value: "TIME", description: "When it ends: 12h, 7d, 2w or a date." },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/key.ts")).create }),
  },
  {
    name: "key rotate",
    summary: "Make a key in the place of another, which still works for a while, and print it.",
    arguments: [KEY_ID],
    flags: [
      {
        name: "--overlap",
        value: "TIME",
        description: "How long the old one still works: 0, 12h, at most 7d. Default: 1h.",
      },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/key.ts")).rotate }),
  },
  {
    name: "key revoke",
    summary: "Void a key for good, at once.",
    arguments: [KEY_ID],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/key.ts")).revoke }),
  },
  {
    name: "audit list",
    summary: "Show what has happened on the server, newest first.",
    details: [
      "For administrators and auditors of the configured Loom server; with --org also for an organization's admins.",
    ],
    arguments: [],
    flags: [
      ...AUDIT_FLAGS,
      { name: "--limit", value: "N", description: "Rows at most (default 50)." },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/audit.ts")).list }),
  },
  {
    name: "audit export",
    summary: "Print all of the audit log that fits the filter.",
    details: ["JSON lines, or CSV. That it was exported is an event of the audit log itself."],
    arguments: [],
    flags: [...AUDIT_FLAGS, { name: "--csv", description: "Print CSV." }, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/audit.ts")).exportAll }),
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
