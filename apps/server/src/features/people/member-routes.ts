import { api } from "@loom/api";
import type { AuditEvent } from "../../kit/audit.ts";
import { type Route, route } from "../../kit/route.ts";
import { expectedOf, versioned } from "../../kit/versions.ts";
import { actorIn, userIdOf } from "./actor.ts";
import type { Joining } from "./joining.ts";
import type { MemberChange, Members } from "./members.ts";
import type { Resources } from "./resources.ts";
import { personOf, told } from "./told.ts";

export type MemberServices = { readonly members: Members; readonly joining: Joining };

export function memberRoutes({ members, joining }: MemberServices, resources: Resources): Route[] {
  return [
    route(
      api.organizations.members,
      { action: "read", resource: resources.memberships, hidden: true },
      ({ subject, params, query }) => told(members.list(subject, params.org, query)),
    ),
    route(
      api.organizations.getMember,
      { action: "read", resource: resources.membership, hidden: true },
      async ({ params }) => versioned(await told(members.get(params.org, params.user))),
    ),
    route(
      api.organizations.putMember,
      { action: "write", resource: resources.membership, hidden: true },
      async ({ subject, params, body, call, audit }) => {
        const wish = { ...body, expected: expectedOf(call.incoming) };
        const change = await told(members.put(actorIn(subject), params.org, params.user, wish));
        if (change.was === undefined) await audit(memberAdded(change));
        else if (change.was !== change.member.role) await audit(memberChanged(change));
        return versioned(change.member);
      },
    ),
    route(
      api.organizations.removeMember,
      { action: "delete", resource: resources.membership, hidden: true },
      async ({ subject, params, call, audit }) => {
        const expected = expectedOf(call.incoming);
        const change = await told(members.remove(actorIn(subject), params.org, params.user, expected));
        await audit({ ...aboutMember(change), event: "member.removed", before: { role: change.member.role } });
        return change.member;
      },
    ),
    route(
      api.organizations.join,
      { action: "create", resource: resources.ownMembership, hidden: true },
      async ({ subject, params, body, audit }) => {
        const userId = personOf(userIdOf(subject));
        const outcome = await told(joining.join(userId, params.org, body.message ?? ""));
        if (outcome.state === "joined") await audit(memberAdded(outcome));
        else if (outcome.isNew) {
          const { id, organization } = outcome.request;
          await audit({
            event: "join_request.created",
            outcome: "success",
            target: { type: "join_request", id },
            organization,
          });
        }
        return { state: outcome.state };
      },
    ),
    route(
      api.organizations.withdraw,
      { action: "delete", resource: resources.ownMembership, hidden: true },
      async ({ subject, params, audit }) => {
        const request = await told(joining.withdraw(personOf(userIdOf(subject)), params.org));
        await audit({
          event: "join_request.cancelled",
          outcome: "success",
          target: { type: "join_request", id: request.id, name: request.username },
          organization: request.organization,
        });
        return request;
      },
    ),
    route(
      api.organizations.joinRequests,
      { action: "read", resource: resources.invitations, hidden: true },
      ({ subject, params, query: { state, ...page } }) =>
        told(joining.list(subject, params.org, { ...page, state: state === "all" ? undefined : state })),
    ),
    ...(["approve", "reject"] as const).map((name) =>
      route(
        api.organizations[name],
        { action: "write", resource: resources.invitations, hidden: true },
        async ({ subject, params, audit }) => {
          const decision = name === "approve" ? "approved" : "rejected";
          const { request, member } = await told(joining.decide(actorIn(subject), params.org, params.id, decision));
          await audit({
            event: `join_request.${decision}`,
            outcome: "success",
            target: { type: "join_request", id: request.id, name: request.username },
            organization: request.organization,
          });
          if (member !== undefined) await audit(memberAdded({ member, organization: request.organization }));
          return request;
        },
      ),
    ),
  ];
}

type Recorded = Omit<AuditEvent, "actor" | "origin">;

export function memberAdded(change: MemberChange): Recorded {
  return { ...aboutMember(change), event: "member.added", after: { role: change.member.role } };
}

function memberChanged(change: MemberChange): Recorded {
  return {
    ...aboutMember(change),
    event: "member.role_changed",
    before: { role: change.was ?? null },
    after: { role: change.member.role },
  };
}

function aboutMember({ member, organization }: MemberChange) {
  return {
    outcome: "success",
    target: { type: "user", id: member.userId, name: member.username },
    organization,
  } as const;
}
