import { type ApiKeyInfo, type ApiKeyOwner, api, type MintedApiKey } from "@loom/api";
import type { AuditEvent } from "../../kit/audit.ts";
import { onceOf } from "../../kit/idempotency.ts";
import type { Resource } from "../../kit/policy.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { nameOf, principalOf, type Subject } from "../../kit/subject.ts";
import type { ApiKeyFeature } from "./index.ts";

export function apiKeyRoutes({ service, organizationId, requireRecent }: ApiKeyFeature): Route[] {
  const own = (_: unknown, subject: Subject): Resource => ({ type: "api_key", owner: principalOf(subject) });
  const ofOrganization = async ({ org }: { readonly org: string }): Promise<Resource | undefined> => {
    const organization = await organizationId(org);
    return organization === undefined ? undefined : { type: "api_key", organization };
  };
  const one = async ({ id }: { readonly id: string }): Promise<Resource | undefined> => {
    const owner = await service.ownerOf(id);
    if (owner === undefined) return undefined;
    return { type: "api_key", id, ...(owner.type === "user" ? { owner: owner.id } : { organization: owner.id }) };
  };
  const by = (subject: Subject) => ({ id: principalOf(subject), name: nameOf(subject) });
  /** For whose key: who looks after others' has given no factor of theirs. */
  const isStrong = (subject: Subject, owner: ApiKeyOwner | undefined) =>
    subject.type === "user" &&
    subject.via.type === "session" &&
    subject.secondFactor === true &&
    subject.id === owner?.id;

  return [
    route(api.apiKeys.list, { action: "read", resource: own }, ({ subject, query }) =>
      service.list(subject, personOf(subject), query),
    ),
    route(
      api.apiKeys.create,
      { action: "create", resource: own, recent: true },
      async ({ subject, body, call, audit }) => {
        const owner = personOf(subject);
        await requireRecent(subject);
        const once = onceOf(call, subject, body);
        const minted = await service.create(owner, body, { by: by(subject), strong: isStrong(subject, owner), once });
        if (minted.key !== null) await audit(created(minted.info));
        return withKey(minted);
      },
    ),
    route(
      api.apiKeys.listOfOrganization,
      { action: "read", resource: ofOrganization, hidden: true },
      async ({ subject, params, query }) => service.list(subject, await organizationOf(params.org), query),
    ),
    route(
      api.apiKeys.createOfOrganization,
      { action: "create", resource: ofOrganization, hidden: true, recent: true },
      async ({ params, subject, body, call, audit }) => {
        await requireRecent(subject);
        const once = onceOf(call, subject, body);
        const minted = await service.create(await organizationOf(params.org), body, { by: by(subject), once });
        if (minted.key !== null) await audit(created(minted.info));
        return withKey(minted);
      },
    ),
    route(
      api.apiKeys.rotate,
      { action: "write", resource: one, hidden: true, recent: true },
      async ({ params, subject, body, audit }) => {
        await requireRecent(subject);
        const strong = isStrong(subject, await service.ownerOf(params.id));
        const { minted, old } = await service.rotate(params.id, { ...body, by: by(subject), strong });
        const { details, ...key } = about(old);
        const became = { replacedBy: minted.info.id, endsAt: old.expiresAt };
        await audit({ ...key, event: "api_key.rotated", details: { ...details, ...became } });
        return withKey(minted);
      },
    ),
    // Without a look at when one signed in: who finds a key in the wrong place should not have to search for anything else.
    route(api.apiKeys.revoke, { action: "delete", resource: one, hidden: true }, async ({ params, audit }) => {
      const { key, isNew } = await service.revoke(params.id);
      if (isNew) await audit({ ...about(key), event: "api_key.revoked" });
      return key;
    }),
  ];

  async function organizationOf(idOrSlug: string) {
    const id = await organizationId(idOrSlug);
    if (id === undefined) throw new ProblemError("not_found", "There is no such organization.");
    return { type: "organization", id } as const;
  }
}

/** Nothing on the way may keep what is shown once. */
function withKey(minted: MintedApiKey): Reply<MintedApiKey> {
  return new Reply(minted, { status: 201, headers: { "cache-control": "no-store" } });
}

function personOf(subject: Subject): { readonly type: "user"; readonly id: string } {
  if (subject.type === "user") return { type: "user", id: subject.id };
  throw new ProblemError("forbidden", "Keys of one's own are for people: sign in, this token is nobody's.");
}

function created(info: ApiKeyInfo): Omit<AuditEvent, "actor" | "origin"> {
  const { scopes, expiresAt } = info;
  return { ...about(info), event: "api_key.created", after: { scopes, expiresAt } };
}

function about({ id, name, owner }: ApiKeyInfo): Pick<AuditEvent, "outcome" | "target" | "organization" | "details"> {
  return {
    outcome: "success",
    target: { type: "api_key", id, name },
    ...(owner.type === "organization" ? { organization: owner.id } : { details: { user: owner.id } }),
  };
}
