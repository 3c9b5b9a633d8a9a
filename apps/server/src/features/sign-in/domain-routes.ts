import { api } from "@loom/api";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { type Route, route } from "../../kit/route.ts";
import type { SignInService } from "./service.ts";
import { isDomain } from "./sign-in-config.ts";

const ADMINISTER = { action: "administer", resource: { type: "system", id: "domains" } } as const;

/** Which mail domains belong to whom. Only who runs the server says so: nobody claims a domain that is another's. */
export function domainRoutes(
  service: SignInService,
  organizationId: (idOrSlug: string) => Promise<string | undefined>,
  wall: () => number,
): Route[] {
  return [
    route(api.domains.list, ADMINISTER, async ({ query: { limit, cursor } }) => {
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, ["string"]);
      const rows = await service.domains.list({
        limit: limit + 1,
        after: after === undefined ? undefined : String(after),
      });
      const { items, nextCursor } = pageOf(rows, limit, ({ domain }) => [domain]);
      return { domains: items, nextCursor };
    }),
    route(api.domains.put, ADMINISTER, async ({ params, body, audit }) => {
      const domain = params.domain.toLowerCase();
      if (!isDomain(domain)) throw wrongFields([{ field: "domain", message: "must be a domain such as example.com" }]);
      const known = service.providers.map(({ name }) => name);
      if (!known.includes(body.provider)) {
        throw wrongFields([{ field: "provider", message: `must be one of: ${known.join(", ") || "none is set up"}` }]);
      }
      const organization = await organizationId(body.organization);
      if (organization === undefined) {
        throw wrongFields([
          { field: "organization", message: "is none that is there: give the id or the slug of one" },
        ]);
      }
      const saved = await service.domains.put({ domain, ...body, organization }, new Date(wall()).toISOString());
      const { provider, forced } = saved;
      const target = { type: "mail_domain", id: domain };
      await audit({ event: "domain.verified", outcome: "success", target, organization, after: { provider, forced } });
      return saved;
    }),
    route(api.domains.delete, ADMINISTER, async ({ params, audit }) => {
      const domain = params.domain.toLowerCase();
      if (!(await service.domains.remove(domain))) {
        throw new ProblemError("not_found", "No organization has this domain.");
      }
      await audit({ event: "domain.removed", outcome: "success", target: { type: "mail_domain", id: domain } });
      return { removed: domain };
    }),
  ];
}
