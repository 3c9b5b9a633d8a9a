import { api } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import { type Route, route } from "../../kit/route.ts";
import { principalOf, type Subject } from "../../kit/subject.ts";
import type { SessionService } from "./service.ts";
import type { Tickets } from "./tickets.ts";

export function sessionRoutes(service: SessionService & { readonly tickets: Tickets }): Route[] {
  const own = (_: unknown, subject: Subject) => ({ type: "session", owner: principalOf(subject) }) as const;
  const ofUser = ({ user }: { readonly user: string }) => ({ type: "session", owner: user }) as const;
  const one = async ({ id }: { readonly id: string }) => {
    const owner = await service.ownerOf(id);
    return owner === undefined ? undefined : ({ type: "session", id, owner } as const);
  };

  return [
    route(api.sessions.list, { action: "read", resource: own }, ({ subject, query }) =>
      service.list(principalOf(subject), { ...query, current: currentOf(subject) }),
    ),
    route(api.sessions.end, { action: "delete", resource: one, hidden: true }, async ({ params, audit }) => {
      const target = { type: "session", id: params.id };
      if (!(await service.end(params.id))) throw new ProblemError("not_found", "The session has ended already.");
      await audit({ event: "session.revoked", outcome: "success", target });
      return { ended: 1 };
    }),
    route(api.sessions.endOthers, { action: "delete", resource: own }, async ({ subject, audit }) => {
      const except = currentOf(subject);
      const user = principalOf(subject);
      const ended = await service.endAllOf(user, except === undefined ? {} : { except });
      const target = { type: "user", id: user };
      await audit({ event: "session.all_revoked", outcome: "success", target, details: { ended } });
      return { ended };
    }),
    route(api.sessions.ticket, { action: "create", resource: own }, ({ subject }) => {
      const id = currentOf(subject);
      if (id === undefined) throw new ProblemError("forbidden", "Only who is signed in can have a ticket.");
      return service.tickets.issue(id);
    }),
    route(api.sessions.listOfUser, { action: "administer", resource: ofUser }, ({ params, query, subject }) =>
      service.list(params.user, { ...query, current: currentOf(subject) }),
    ),
    route(
      api.sessions.endOneOfUser,
      {
        action: "administer",
        async resource({ user, id }) {
          return (await service.ownerOf(id)) === user ? { type: "session", id, owner: user } : undefined;
        },
      },
      async ({ params, audit }) => {
        if (!(await service.end(params.id))) throw new ProblemError("not_found", "The session has ended already.");
        const target = { type: "session", id: params.id };
        await audit({ event: "session.revoked", outcome: "success", target, details: { user: params.user } });
        return { ended: 1 };
      },
    ),
    route(api.sessions.endOfUser, { action: "administer", resource: ofUser }, async ({ params, audit }) => {
      const ended = await service.endAllOf(params.user);
      const target = { type: "user", id: params.user };
      await audit({ event: "session.all_revoked", outcome: "success", target, details: { ended } });
      return { ended };
    }),
  ];
}

function currentOf(subject: Subject): string | undefined {
  return subject.type === "user" && subject.via.type === "session" ? subject.via.id : undefined;
}
