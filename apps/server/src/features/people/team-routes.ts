import { api } from "@loom/api";
import type { AuditEvent } from "../../kit/audit.ts";
import { onceOf } from "../../kit/idempotency.ts";
import { type Route, route } from "../../kit/route.ts";
import { expectedOf, ifMatch, versioned } from "../../kit/versions.ts";
import { actorIn } from "./actor.ts";
import { changedFields, isChanged } from "./changed-fields.ts";
import type { Resources } from "./resources.ts";
import type { TeamMemberChange, Teams } from "./teams.ts";
import { told } from "./told.ts";

export function teamRoutes(teams: Teams, resources: Resources): Route[] {
  return [
    route(api.teams.list, { action: "read", resource: resources.teams, hidden: true }, ({ subject, params, query }) =>
      told(teams.list(subject, params.org, query)),
    ),
    route(
      api.teams.create,
      { action: "create", resource: resources.teams, hidden: true },
      async ({ subject, params, body, call, audit }) => {
        const once = onceOf(call, subject, body);
        const { team, repeated } = await told(teams.create(actorIn(subject), params.org, body, once));
        const { id, slug, organization } = team;
        if (!repeated) {
          await audit({
            event: "team.created",
            outcome: "success",
            target: { type: "team", id, name: slug },
            organization,
            after: { slug },
          });
        }
        return versioned(team, { status: 201 });
      },
    ),
    route(api.teams.get, { action: "read", resource: resources.team, hidden: true }, async ({ params }) =>
      versioned(await told(teams.get(params.org, params.team))),
    ),
    route(
      api.teams.change,
      { action: "write", resource: resources.team, hidden: true },
      async ({ subject, params, body, call, audit }) => {
        const version = ifMatch(call.incoming);
        const change = await told(teams.change(actorIn(subject), params.org, params.team, body, version));
        const { id, slug, organization } = change.after;
        if (isChanged(change)) {
          await audit({
            event: "team.updated",
            outcome: "success",
            target: { type: "team", id, name: slug },
            organization,
            ...changedFields(change),
          });
        }
        return versioned(change.after);
      },
    ),
    route(
      api.teams.delete,
      { action: "delete", resource: resources.team, hidden: true },
      async ({ subject, params, call, audit }) => {
        const version = ifMatch(call.incoming);
        const team = await told(teams.delete(actorIn(subject), params.org, params.team, version));
        const target = { type: "team", id: team.id, name: team.slug };
        await audit({ event: "team.deleted", outcome: "success", target, organization: team.organization });
        return team;
      },
    ),
    route(
      api.teams.members,
      { action: "read", resource: resources.teamMemberships, hidden: true },
      ({ subject, params, query }) => told(teams.members(subject, params.org, params.team, query)),
    ),
    route(
      api.teams.getMember,
      { action: "read", resource: resources.teamMembership, hidden: true },
      async ({ params }) => versioned(await told(teams.getMember(params))),
    ),
    route(
      api.teams.putMember,
      { action: "write", resource: resources.teamMembership, hidden: true },
      async ({ subject, params, body, call, audit }) => {
        const wish = { ...body, expected: expectedOf(call.incoming) };
        const change = await told(teams.putMember(actorIn(subject), params, wish));
        if (change.was !== change.member.role) {
          await audit({
            ...aboutMember(change),
            event: change.was === undefined ? "team.member_added" : "team.member_role_changed",
            before: { role: change.was ?? null },
            after: { role: change.member.role },
          });
        }
        return versioned(change.member);
      },
    ),
    route(
      api.teams.removeMember,
      { action: "delete", resource: resources.teamMembership, hidden: true },
      async ({ subject, params, call, audit }) => {
        const change = await told(teams.removeMember(actorIn(subject), params, expectedOf(call.incoming)));
        await audit({ ...aboutMember(change), event: "team.member_removed", before: { role: change.member.role } });
        return change.member;
      },
    ),
  ];
}

function aboutMember({
  member,
  team,
}: TeamMemberChange): Pick<AuditEvent, "outcome" | "target" | "organization" | "details"> {
  return {
    outcome: "success",
    target: { type: "user", id: member.userId, name: member.username },
    organization: team.organization,
    details: { team: team.id },
  };
}
