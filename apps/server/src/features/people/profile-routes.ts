import { api } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import { type Route, route } from "../../kit/route.ts";
import type { Subject } from "../../kit/subject.ts";
import { ifMatch, versioned } from "../../kit/versions.ts";
import { userIdOf } from "./actor.ts";
import { changedFields, isChanged } from "./changed-fields.ts";
import type { Departure } from "./departure.ts";
import type { Notices } from "./notices.ts";
import { type Profiles, profileOf } from "./profiles.ts";
import type { Resources } from "./resources.ts";
import { personOf, told } from "./told.ts";

export type ProfileServices = {
  readonly profiles: Profiles;
  readonly departure: Departure;
  readonly notices: Notices;
};

export function profileRoutes({ profiles, departure, notices }: ProfileServices, resources: Resources): Route[] {
  return [
    route(api.users.get, { action: "read", resource: resources.profile }, async ({ subject, params }) => {
      const viewer = userIdOf(subject);
      const profile = await profiles.get(params.id === "me" ? personOf(viewer) : params.id, viewer);
      if (profile === undefined) throw new ProblemError("not_found", "There is nobody by that id or name.");
      return versioned(profile);
    }),
    route(api.users.change, { action: "write", resource: me }, async ({ subject, body, call, audit }) => {
      const userId = personOf(userIdOf(subject));
      const change = await told(profiles.change(userId, body, ifMatch(call.incoming)));
      if (isChanged(change)) {
        const target = { type: "user", id: userId, name: change.after.username };
        await audit({ event: "user.updated", outcome: "success", target, ...changedFields(change) });
      }
      return versioned(change.after);
    }),
    route(api.users.delete, { action: "delete", resource: me }, async ({ subject, audit }) => {
      const userId = personOf(userIdOf(subject));
      if (subject.type === "user" && subject.impersonator !== undefined) {
        throw new ProblemError("forbidden", "Nobody deletes the account of somebody in whose place he acts.");
      }
      const deletion = await told(departure.leave(userId));
      const { deletedAt, purgeAt } = deletion;
      const target = { type: "user", id: userId };
      await audit({ event: "user.deletion_requested", outcome: "success", target, after: { deletedAt, purgeAt } });
      return deletion;
    }),
    // Whoever asks cannot be signed in: the token is what lets him.
    route(api.users.restore, { action: "visit", resource: { type: "sign_in" } }, async ({ body, call }) => {
      const person = await told(departure.restore(body.token));
      const { id, username: name } = person;
      await call.audit.record({
        event: "user.restored",
        outcome: "success",
        actor: { type: "user", id, name },
        target: { type: "user", id, name },
        origin: call.origin,
      });
      return profileOf(person, id);
    }),
    route(api.users.notices, { action: "read", resource: me }, ({ subject, query }) =>
      notices.list(personOf(userIdOf(subject)), query),
    ),
    route(api.users.readNotices, { action: "write", resource: me }, async ({ subject, body }) => {
      // What is said to the person is not for whoever acts in his place to put away.
      if (subject.type === "user" && subject.impersonator !== undefined) {
        throw new ProblemError("forbidden", "Nobody reads the notices of somebody in whose place he acts.");
      }
      return { read: await notices.read(personOf(userIdOf(subject)), body.ids) };
    }),
  ];
}

/** The asker himself; nothing for who is no person. */
function me(_: unknown, subject: Subject) {
  const id = userIdOf(subject);
  return id === undefined ? undefined : ({ type: "user", id, owner: id } as const);
}
