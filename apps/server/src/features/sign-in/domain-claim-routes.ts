import { api, type DomainClaim } from "@loom/api";
import type { Attempts } from "../../identity-types.ts";
import type { AuditEvent } from "../../kit/audit.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { Resource } from "../../kit/policy.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { type Route, route } from "../../kit/route.ts";
import type { Subject } from "../../kit/subject.ts";
import { ifMatch, versioned } from "../../kit/versions.ts";
import type { DomainClaims } from "./domain-claims.ts";

/** Of one organization: each is a question to somebody else's name server. */
const PROOFS = { name: "domain_proof", max: 20, perMs: 600_000 };

export type DomainClaimRouteNeeds = {
  readonly claims: DomainClaims;
  readonly attempts: Attempts;
  /** The id of an organization that is there, by its id or slug. */
  readonly organizationId: (idOrSlug: string) => Promise<string | undefined>;
  /** @throws ProblemError for a person who has not signed in lately. */
  readonly requireRecent: (subject: Subject) => Promise<void>;
};

/** An organization's own mail domains: claimed, proven, and whom their people sign in with. */
export function domainClaimRoutes({ claims, attempts, organizationId, requireRecent }: DomainClaimRouteNeeds): Route[] {
  const ofOrganization = async ({ org }: { readonly org: string }): Promise<Resource | undefined> => {
    const organization = await organizationId(org);
    return organization === undefined ? undefined : { type: "mail_domain", organization };
  };
  const access = <Action extends "read" | "create" | "write" | "delete">(action: Action) =>
    ({ action, resource: ofOrganization, hidden: true }) as const;

  async function idOf(org: string): Promise<string> {
    const id = await organizationId(org);
    if (id === undefined) throw new ProblemError("not_found", "There is no such organization.");
    return id;
  }

  return [
    route(api.organizationDomains.list, access("read"), async ({ params, query: { limit, cursor } }) => {
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, ["string"]);
      const rows = await claims.list(await idOf(params.org), { limit: limit + 1, after: after?.toString() });
      const { items, nextCursor } = pageOf(rows, limit, ({ domain }) => [domain]);
      return { domains: items, nextCursor };
    }),
    route(api.organizationDomains.claim, access("create"), async ({ params, body, audit }) => {
      const { claim, isNew } = await claims.claim(await idOf(params.org), body.domain.toLowerCase());
      if (isNew) await audit({ ...about(claim), event: "domain.added" });
      return versioned(claim, { status: isNew ? 201 : 200 });
    }),
    route(api.organizationDomains.get, access("read"), async ({ params }) =>
      versioned(await claims.get(await idOf(params.org), params.domain.toLowerCase())),
    ),
    route(api.organizationDomains.prove, access("write"), async ({ params, audit }) => {
      const organization = await idOf(params.org);
      await attempts.take(PROOFS, organization);
      const claim = await claims.prove(organization, params.domain.toLowerCase());
      await audit({ ...about(claim), event: "domain.verified", details: { record: claim.record.name } });
      return versioned(claim);
    }),
    route(
      api.organizationDomains.change,
      { ...access("write"), recent: true },
      async ({ params, subject, body, call, audit }) => {
        await requireRecent(subject);
        const domain = params.domain.toLowerCase();
        const { before, after } = await claims.rule(await idOf(params.org), domain, body, ifMatch(call.incoming));
        await audit({ ...about(after), event: "domain.changed", before: ruleOf(before), after: ruleOf(after) });
        return versioned(after);
      },
    ),
    route(
      api.organizationDomains.remove,
      { ...access("delete"), recent: true },
      async ({ params, subject, call, audit }) => {
        await requireRecent(subject);
        const domain = params.domain.toLowerCase();
        const removed = await claims.remove(await idOf(params.org), domain, ifMatch(call.incoming));
        await audit({ ...about(removed), event: "domain.removed", before: ruleOf(removed) });
        return versioned(removed);
      },
    ),
  ];
}

function about({ domain, organization }: DomainClaim): Pick<AuditEvent, "outcome" | "target" | "organization"> {
  return { outcome: "success", target: { type: "mail_domain", id: domain }, organization };
}

function ruleOf({ provider, forced }: DomainClaim) {
  return { provider, forced };
}
