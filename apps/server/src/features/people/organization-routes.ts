import { api } from "@loom/api";
import { onceOf } from "../../kit/idempotency.ts";
import { type Route, route } from "../../kit/route.ts";
import { ifMatch, versioned } from "../../kit/versions.ts";
import { actorIn } from "./actor.ts";
import { changedFields, isChanged } from "./changed-fields.ts";
import type { Organizations } from "./organizations.ts";
import type { Resources } from "./resources.ts";
import { told } from "./told.ts";

export function organizationRoutes(organizations: Organizations, resources: Resources): Route[] {
  return [
    // Each row of the list is one that the policies let the asker find and read; the query sees to it.
    route(
      api.organizations.list,
      { action: "read", resource: { type: "organization", visibility: "public" } },
      ({ subject, query }) => organizations.list(subject, query),
    ),
    route(
      api.organizations.create,
      { action: "create", resource: { type: "organization" } },
      async ({ subject, body, call, audit }) => {
        const once = onceOf(call, subject, body);
        const { organization, repeated } = await told(organizations.create(actorIn(subject), body, once));
        const { id, slug, visibility, joinPolicy } = organization;
        if (!repeated) {
          await audit({
            event: "organization.created",
            outcome: "success",
            target: { type: "organization", id, name: slug },
            organization: id,
            after: { slug, visibility, joinPolicy },
          });
        }
        return versioned(organization, { status: 201 });
      },
    ),
    route(
      api.organizations.get,
      { action: "read", resource: resources.organization, hidden: true },
      async ({ subject, params }) => versioned(await told(organizations.get(actorIn(subject), params.org))),
    ),
    route(
      api.organizations.change,
      { action: "administer", resource: resources.organization, hidden: true },
      async ({ subject, params, body, call, audit }) => {
        const change = await told(organizations.change(actorIn(subject), params.org, body, ifMatch(call.incoming)));
        const { id, slug } = change.after;
        if (isChanged(change)) {
          await audit({
            event: "organization.updated",
            outcome: "success",
            target: { type: "organization", id, name: slug },
            organization: id,
            ...changedFields(change),
          });
        }
        return versioned(change.after);
      },
    ),
    route(
      api.organizations.delete,
      { action: "delete", resource: resources.organization, hidden: true },
      async ({ subject, params, call, audit }) => {
        const deleted = await told(organizations.delete(actorIn(subject), params.org, ifMatch(call.incoming)));
        await audit({
          event: "organization.deleted",
          outcome: "success",
          target: { type: "organization", id: deleted.id, name: deleted.slug },
          organization: deleted.id,
          before: { deletedAt: null },
          after: { deletedAt: deleted.deletedAt },
        });
        return versioned(deleted);
      },
    ),
    route(
      api.organizations.restore,
      { action: "create", resource: resources.deletedOrganization, hidden: true },
      async ({ subject, params, audit }) => {
        const restored = await told(organizations.restore(actorIn(subject), params.org));
        await audit({
          event: "organization.restored",
          outcome: "success",
          target: { type: "organization", id: restored.id, name: restored.slug },
          organization: restored.id,
        });
        return versioned(restored);
      },
    ),
  ];
}
