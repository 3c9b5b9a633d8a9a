import { api } from "@loom/api/json-client";
import type { Invocation } from "../command-line/specification.ts";
import { plainTable } from "../output/plain-table.ts";
import { allPages, versionOf, withServer } from "../people-server.ts";
import { textOf } from "../settings.ts";
import { oneOf, printed } from "./org.ts";

const ROLES = ["maintainer", "member"] as const;

export function list(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const teams = await allPages(async (query) => {
      const answer = await server.ask(api.teams.list, { params: { org }, query });
      return { rows: answer.teams, nextCursor: answer.nextCursor };
    });
    const rows = teams.map(({ slug, name, description }) => [slug, name, description]);
    return printed(invocation, teams, () =>
      plainTable(["SLUG", "NAME", "DESCRIPTION"], rows, { none: "The organization has no teams." }),
    );
  });
}

export function create(invocation: Invocation): Promise<number> {
  const [org = "", slug = ""] = invocation.arguments;
  const [name, description] = [textOf(invocation, "--name"), textOf(invocation, "--description")];
  const body = { slug, ...(name !== undefined && { name }), ...(description !== undefined && { description }) };
  return withServer(invocation, async (server) => {
    const team = await server.ask(api.teams.create, { params: { org }, body });
    return printed(invocation, team, () => `Made the team ${team.slug} in ${org}.\n`);
  });
}

export function members(invocation: Invocation): Promise<number> {
  const [org = "", team = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const found = await allPages(async (query) => {
      const answer = await server.ask(api.teams.members, { params: { org, team }, query });
      return { rows: answer.members, nextCursor: answer.nextCursor };
    });
    const rows = found.map(({ username, displayName, role, joinedAt }) => [
      username,
      displayName,
      role,
      joinedAt.slice(0, 10),
    ]);
    return printed(invocation, found, () =>
      plainTable(["USERNAME", "NAME", "ROLE", "SINCE"], rows, { none: "The team has no members." }),
    );
  });
}

export function add(invocation: Invocation): Promise<number> {
  const [org = "", team = "", user = ""] = invocation.arguments;
  const body = { role: oneOf("--role", textOf(invocation, "--role") ?? "member", ROLES) };
  return withServer(invocation, async (server) => {
    const params = { org, team, user };
    const version = await versionOf(server.ask(api.teams.getMember, { params }));
    const member = await server.ask(api.teams.putMember, { params, body, ...version });
    return printed(invocation, member, () => `${member.username} is in the team ${team} as ${member.role}.\n`);
  });
}

export function remove(invocation: Invocation): Promise<number> {
  const [org = "", team = "", user = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const member = await server.ask(api.teams.removeMember, { params: { org, team, user } });
    return printed(invocation, member, () => `${member.username} is not in the team ${team} any more.\n`);
  });
}

/** `delete` is a word of the language. */
export function deleteTeam(invocation: Invocation): Promise<number> {
  const [org = "", team = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const { version } = await server.ask(api.teams.get, { params: { org, team } });
    const deleted = await server.ask(api.teams.delete, { params: { org, team }, ifMatch: version });
    return printed(invocation, deleted, () => `Dissolved the team ${deleted.slug}.\n`);
  });
}
