import { api, type Invitation } from "@loom/api";
import { onceOf } from "../../kit/idempotency.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { nameOf } from "../../kit/subject.ts";
import type { MailContent } from "../mail/compose-mail.ts";
import type { Mail } from "../mail/index.ts";
import { actorIn, userIdOf } from "./actor.ts";
import type { Invitations } from "./invitations.ts";
import { memberAdded } from "./member-routes.ts";
import type { Organizations } from "./organizations.ts";
import type { Resources } from "./resources.ts";
import { personOf, told } from "./told.ts";

export type InvitationServices = {
  readonly invitations: Invitations;
  readonly organizations: Organizations;
  readonly mail: Pick<Mail, "send">;
};

export function invitationRoutes(
  { invitations, organizations, mail }: InvitationServices,
  resources: Resources,
): Route[] {
  return [
    route(
      api.organizations.invitations,
      { action: "read", resource: resources.invitations, hidden: true },
      ({ subject, params, query }) => told(invitations.list(subject, params.org, query)),
    ),
    route(
      api.organizations.invite,
      { action: "create", resource: resources.invitations, hidden: true },
      async ({ subject, params, body, call, audit }) => {
        const { repeated, ...minted } = await told(
          invitations.create(actorIn(subject), params.org, body, {
            by: nameOf(subject),
            once: onceOf(call, subject, body),
          }),
        );
        const { id, organization, role, expiresAt } = minted.invitation;
        if (minted.token !== null) {
          const { slug, name } = await told(organizations.get(actorIn(subject), organization));
          mail.send(invitationMail(minted.invitation, minted.token, { slug, name }));
        }
        if (!repeated) {
          await audit({
            event: "invitation.created",
            outcome: "success",
            target: { type: "invitation", id },
            organization,
            after: { role, expiresAt },
          });
        }
        return new Reply(minted, { status: 201 });
      },
    ),
    route(
      api.organizations.cancelInvitation,
      { action: "delete", resource: resources.invitations, hidden: true },
      async ({ subject, params, audit }) => {
        const cancelled = await told(invitations.cancel(actorIn(subject), params.org, params.id));
        await audit({
          event: "invitation.cancelled",
          outcome: "success",
          target: { type: "invitation", id: cancelled.id },
          organization: cancelled.organization,
        });
        return cancelled;
      },
    ),
    route(
      api.organizations.viewInvitation,
      { action: "visit", resource: { type: "invitation" } },
      async ({ params }) => {
        const view = await told(invitations.view(params.token));
        if (view !== undefined) return view;
        throw new ProblemError("not_found", "There is no invitation with this token.");
      },
    ),
    route(
      api.organizations.acceptInvitation,
      { action: "use", resource: { type: "invitation" } },
      async ({ subject, body, audit }) => {
        const { view, invitation, member } = await told(invitations.accept(personOf(userIdOf(subject)), body.token));
        const { id, organization } = invitation;
        const target = { type: "invitation", id };
        await audit({ event: "invitation.accepted", outcome: "success", target, organization });
        if (member !== undefined) await audit(memberAdded({ member, organization }));
        return view;
      },
    ),
    route(
      api.organizations.declineInvitation,
      { action: "use", resource: { type: "invitation" } },
      async ({ subject, body, audit }) => {
        const { view, invitation } = await told(invitations.decline(personOf(userIdOf(subject)), body.token));
        const { id, organization } = invitation;
        const target = { type: "invitation", id };
        await audit({ event: "invitation.declined", outcome: "success", target, organization });
        return view;
      },
    ),
  ];
}

/** The token goes to whose address it is, and is of no use to anybody else. */
function invitationMail(
  { email, invitedBy, role, expiresAt }: Invitation,
  token: string,
  { slug, name }: { readonly slug: string; readonly name: string },
): MailContent {
  const where = name === slug ? slug : `${name} (${slug})`;
  return {
    to: email,
    subject: `${invitedBy} invites you to ${where}`,
    paragraphs: [
      `${invitedBy} invites you to the organization ${where}, as ${role}.`,
      'To accept, sign in with this address, run "loom org accept" and paste this:',
      token,
    ],
    footnote: `It can be used once, until ${expiresAt.slice(0, 10)}. If you expected no invitation, do nothing.`,
  };
}
