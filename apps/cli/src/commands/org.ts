import type { Organization } from "@loom/api";
import { api } from "@loom/api/json-client";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { plainFields, plainTable } from "../output/plain-table.ts";
import { allPages, versionOf, withServer } from "../people-server.ts";
import { readSecretLine } from "../secret-line.ts";
import { textOf } from "../settings.ts";

const ROLES = ["owner", "admin", "member"] as const;
const VISIBILITIES = ["public", "unlisted", "private"] as const;
const JOIN_POLICIES = ["open", "request", "invite"] as const;
const SECOND_FACTOR_RULES = ["required", "optional"] as const;

export function list(invocation: Invocation): Promise<number> {
  return withServer(invocation, async (server) => {
    const which = invocation.flags.has("--deleted") ? "deleted" : invocation.flags.has("--all") ? "all" : "mine";
    const organizations = await allPages(async (page) => {
      const answer = await server.ask(api.organizations.list, { query: { ...page, which } });
      return { rows: answer.organizations, nextCursor: answer.nextCursor };
    });
    const rows = organizations.map(({ slug, name, visibility, role }) => [slug, name, visibility, role]);
    return printed(invocation, organizations, () =>
      plainTable(["SLUG", "NAME", "VISIBILITY", "ROLE"], rows, { none: "There are no organizations to show." }),
    );
  });
}

export function create(invocation: Invocation): Promise<number> {
  const [slug = ""] = invocation.arguments;
  const [name, description, owner] = [
    textOf(invocation, "--name"),
    textOf(invocation, "--description"),
    textOf(invocation, "--owner"),
  ];
  const visibility = textOf(invocation, "--visibility");
  const joinPolicy = textOf(invocation, "--join");
  const body = {
    slug,
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(owner !== undefined && { owner }),
    ...(visibility !== undefined && { visibility: oneOf("--visibility", visibility, VISIBILITIES) }),
    ...(joinPolicy !== undefined && { joinPolicy: oneOf("--join", joinPolicy, JOIN_POLICIES) }),
  };
  return withServer(invocation, async (server) => {
    const made = await server.ask(api.organizations.create, { body });
    return printed(invocation, made, () => `Made the organization ${made.slug}.\n`);
  });
}

export function show(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const organization = await server.ask(api.organizations.get, { params: { org } });
    return printed(invocation, organization, () => plainFields(fieldsOf(organization)));
  });
}

export function change(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  const [name, description] = [textOf(invocation, "--name"), textOf(invocation, "--description")];
  const [visibility, joinPolicy] = [textOf(invocation, "--visibility"), textOf(invocation, "--join")];
  const secondFactor = textOf(invocation, "--second-factor");
  const body = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(visibility !== undefined && { visibility: oneOf("--visibility", visibility, VISIBILITIES) }),
    ...(joinPolicy !== undefined && { joinPolicy: oneOf("--join", joinPolicy, JOIN_POLICIES) }),
    ...(secondFactor !== undefined && {
      requireSecondFactor: oneOf("--second-factor", secondFactor, SECOND_FACTOR_RULES) === "required",
    }),
  };
  if (Object.keys(body).length === 0) throw new CliError("usage", "Say what to change, e.g. --name or --visibility.");
  return withServer(invocation, async (server) => {
    const { version } = await server.ask(api.organizations.get, { params: { org } });
    const changed = await server.ask(api.organizations.change, { params: { org }, body, ifMatch: version });
    return printed(invocation, changed, () => plainFields(fieldsOf(changed)));
  });
}

export function members(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const found = await allPages(async (query) => {
      const answer = await server.ask(api.organizations.members, { params: { org }, query });
      return { rows: answer.members, nextCursor: answer.nextCursor };
    });
    const rows = found.map(({ username, displayName, role, joinedAt }) => [
      username,
      displayName,
      role,
      joinedAt.slice(0, 10),
    ]);
    return printed(invocation, found, () =>
      plainTable(["USERNAME", "NAME", "ROLE", "SINCE"], rows, { none: "The organization has no members." }),
    );
  });
}

export function invite(invocation: Invocation): Promise<number> {
  const [org = "", whom = ""] = invocation.arguments;
  const role = oneOf("--role", textOf(invocation, "--role") ?? "member", ROLES);
  const body = { ...(whom.includes("@") ? { email: whom } : { username: whom }), role };
  return withServer(invocation, async (server) => {
    const minted = await server.ask(api.organizations.invite, { params: { org }, body });
    const { email, expiresAt } = minted.invitation;
    return printed(
      invocation,
      minted,
      () =>
        `Invited ${email} to ${org} as ${role}, until ${expiresAt.slice(0, 10)}. Hand over this token, which is shown once; ` +
        `"loom org accept" takes it:\n${minted.token}\n`,
    );
  });
}

export async function accept(invocation: Invocation): Promise<number> {
  const token = await readSecretLine("The invitation's token: ");
  return withServer(invocation, async (server) => {
    const view = await server.ask(api.organizations.acceptInvitation, { body: { token } });
    return printed(invocation, view, () => `You are in ${view.organization.slug} now, as ${view.role}.\n`);
  });
}

export function remove(invocation: Invocation): Promise<number> {
  const [org = "", user = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const member = await server.ask(api.organizations.removeMember, { params: { org, user } });
    return printed(invocation, member, () => `${member.username} is not in ${org} any more.\n`);
  });
}

export function role(invocation: Invocation): Promise<number> {
  const [org = "", user = "", wanted = ""] = invocation.arguments;
  const body = { role: oneOf("ROLE", wanted, ROLES) };
  return withServer(invocation, async (server) => {
    const params = { org, user };
    const version = await versionOf(server.ask(api.organizations.getMember, { params }));
    const member = await server.ask(api.organizations.putMember, { params, body, ...version });
    return printed(invocation, member, () => `${member.username} is in ${org} as ${member.role}.\n`);
  });
}

/** `delete` is a word of the language. */
export function deleteOrganization(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const { version } = await server.ask(api.organizations.get, { params: { org } });
    const deleted = await server.ask(api.organizations.delete, { params: { org }, ifMatch: version });
    return printed(
      invocation,
      deleted,
      () => `Deleted ${deleted.slug}. For 90 days, "loom org restore ${deleted.slug}" brings it back.\n`,
    );
  });
}

export function restore(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const restored = await server.ask(api.organizations.restore, { params: { org } });
    return printed(invocation, restored, () => `${restored.slug} is back.\n`);
  });
}

/** The answer itself with --json, else what `text` makes of it. */
export async function printed(invocation: Invocation, answer: unknown, text: () => string): Promise<number> {
  process.stdout.write(invocation.flags.has("--json") ? `${JSON.stringify(answer, undefined, 2)}\n` : text());
  return exitCodeOf("ok");
}

/** @throws CliError that names the choices */
export function oneOf<Choice extends string>(what: string, value: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((each) => each === value);
  if (choice !== undefined) return choice;
  throw new CliError("usage", `${what} must be one of ${choices.join(", ")}.`);
}

function fieldsOf(organization: Organization): [string, string | null][] {
  const {
    id,
    slug,
    name,
    description,
    visibility,
    joinPolicy,
    requireSecondFactor,
    role: own,
    createdAt,
  } = organization;
  return [
    ["slug", slug],
    ["name", name],
    ["description", description],
    ["visibility", visibility],
    ["join", joinPolicy],
    ["second factor", requireSecondFactor ? "required" : "optional"],
    ["your role", own],
    ["created", createdAt],
    ["id", id],
  ];
}
