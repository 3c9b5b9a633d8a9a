import { COMMON_FLAGS, JSON_FLAG } from "./shared-flags.ts";
import type { CommandSpec, FlagSpec } from "./specification.ts";

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

const DOMAIN = { name: "DOMAIN", required: true, description: "A mail domain, e.g. example.com." };

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

/** Signing in to a server, and what administrators do daily on it. */
export const SERVER_COMMANDS: readonly CommandSpec[] = [
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
    name: "org change",
    summary: "Change what an organization says of itself, and whether it asks its members for a second factor.",
    arguments: [ORG],
    flags: [
      { name: "--name", value: "NAME", description: "How people read it." },
      { name: "--description", value: "TEXT", description: "What it is for." },
      {
        name: "--visibility",
        value: "LEVEL",
        choices: ["public", "unlisted", "private"],
        description: "Who sees it: public, unlisted (who knows its name) or private (its members).",
      },
      {
        name: "--join",
        value: "POLICY",
        choices: ["open", "request", "invite"],
        description: "How one joins: open, request (somebody has to approve) or invite.",
      },
      {
        name: "--second-factor",
        value: "RULE",
        choices: ["required", "optional"],
        description: "required: members get nothing of it unless they have signed in with a second factor.",
      },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/org.ts")).change }),
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
    name: "org domains",
    summary: "List the mail domains that an organization has claimed.",
    arguments: [ORG],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org-domains.ts")).list }),
  },
  {
    name: "org claim",
    summary: "Claim a mail domain for an organization; says what DNS record proves it.",
    arguments: [ORG, DOMAIN],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org-domains.ts")).claim }),
  },
  {
    name: "org prove",
    summary: "Look for the DNS record that proves a claimed domain.",
    arguments: [ORG, DOMAIN],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org-domains.ts")).prove }),
  },
  {
    name: "org sign-in",
    summary: "Say whom the people of a proven domain sign in with.",
    arguments: [ORG, DOMAIN],
    flags: [
      {
        name: "--provider",
        value: "NAME",
        description: "A provider that is set up on the server; any for whom they like.",
      },
      { name: "--forced", value: "YES_OR_NO", choices: ["yes", "no"], description: "yes: with nobody else." },
      JSON_FLAG,
      ...COMMON_FLAGS,
    ],
    load: async () => ({ run: (await import("../commands/org-domains.ts")).rule }),
  },
  {
    name: "org unclaim",
    summary: "Give a mail domain of an organization up.",
    arguments: [ORG, DOMAIN],
    flags: [JSON_FLAG, ...COMMON_FLAGS],
    load: async () => ({ run: (await import("../commands/org-domains.ts")).remove }),
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
];
