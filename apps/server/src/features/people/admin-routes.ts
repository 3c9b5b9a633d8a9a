import { api, type UserInfo } from "@loom/api";
import type { AuditEvent } from "../../kit/audit.ts";
import { type Route, route } from "../../kit/route.ts";
import { ifMatch, versioned } from "../../kit/versions.ts";
import { actorIn } from "./actor.ts";
import { type Administration, infoOf } from "./administration.ts";
import type { Departure } from "./departure.ts";
import type { Resources } from "./resources.ts";
import { told } from "./told.ts";

export type AdminServices = { readonly administration: Administration; readonly departure: Departure };

export function adminRoutes({ administration, departure }: AdminServices, resources: Resources): Route[] {
  const access = { action: "administer", resource: resources.user } as const;
  return [
    route(api.users.list, { action: "administer", resource: { type: "user" } }, ({ query }) =>
      administration.list(query),
    ),
    route(api.users.show, access, async ({ params }) => versioned(await told(administration.show(params.user)))),
    route(api.users.setRoles, access, async ({ subject, params, body, call, audit }) => {
      const version = ifMatch(call.incoming);
      const { before, after } = await told(administration.setRoles(actorIn(subject), params.user, body.roles, version));
      const [had, has] = [before.globalRoles, after.globalRoles];
      const roles = { ...about(after), before: { roles: [...had] }, after: { roles: [...has] } };
      if (has.some((role) => !had.includes(role))) await audit({ ...roles, event: "global_role.granted" });
      if (had.some((role) => !has.includes(role))) await audit({ ...roles, event: "global_role.revoked" });
      return versioned(after);
    }),
    route(api.users.disable, access, async ({ subject, params, audit }) => {
      const user = await told(administration.disable(actorIn(subject), params.user));
      await audit({ ...about(user), event: "user.disabled", after: { disabledAt: user.disabledAt } });
      return versioned(user);
    }),
    route(api.users.enable, access, async ({ params, audit }) => {
      const user = await told(administration.enable(params.user));
      await audit({ ...about(user), event: "user.enabled", after: { disabledAt: null } });
      return versioned(user);
    }),
    route(api.users.remove, access, async ({ params, audit }) => {
      const user = infoOf(await told(departure.remove(params.user)));
      await audit({ ...about(user), event: "user.deletion_requested", after: { deletedAt: user.deletedAt } });
      return versioned(user);
    }),
    route(api.users.bringBack, access, async ({ params, audit }) => {
      const user = infoOf(await told(departure.bringBack(params.user)));
      await audit({ ...about(user), event: "user.restored", after: { deletedAt: null } });
      return versioned(user);
    }),
  ];
}

function about({ id, username }: UserInfo): Pick<AuditEvent, "outcome" | "target"> {
  return { outcome: "success", target: { type: "user", id, name: username } };
}
