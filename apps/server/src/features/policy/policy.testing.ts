// Persons, keys and tokens that the tests of the policies ask about.
import type { TokenScope } from "@loom/api";
import type { Action, Authorize, Resource, ResourceType } from "../../kit/policy.ts";
import type { Subject, UserSubject } from "../../kit/subject.ts";
import { builtInPolicies } from "./built-in-policies.ts";
import { createAuthorize } from "./cached-authorize.ts";
import { RESOURCE_ENTITIES } from "./entities.ts";

export const book = builtInPolicies();
export const authorize: Authorize = createAuthorize(book);

export function user(id: string, standing: Partial<UserSubject> = {}): UserSubject & Subject {
  return {
    type: "user",
    id,
    name: id,
    globalRoles: [],
    organizations: [],
    teams: [],
    via: { type: "session", id: "session-1", kind: "web" },
    nodes: [],
    ...standing,
  };
}

/** The same person by an API key. */
export function byKey(subject: UserSubject & Subject, ...scopes: TokenScope[]): UserSubject & Subject {
  return { ...subject, via: { type: "key", id: "key-1" }, scopes };
}

export function token(...scopes: TokenScope[]): Subject {
  return { type: "token", id: "token-1", name: "ci", scopes, nodes: [] };
}

export function organizationKey(organization: string, ...scopes: TokenScope[]): Subject {
  return { type: "organization_key", id: "key-9", name: "robot", organization, scopes, nodes: [] };
}

export const ANN = user("user-ann", { organizations: [{ id: "org-acme", role: "owner" }] });
export const BEN = user("user-ben", {
  organizations: [{ id: "org-acme", role: "admin" }],
});
export const CAT = user("user-cat", {
  organizations: [{ id: "org-acme", role: "member" }],
  teams: [{ id: "team-web", organization: "org-acme", role: "maintainer" }],
});
export const DAN = user("user-dan", {
  organizations: [{ id: "org-acme", role: "member" }],
  teams: [{ id: "team-web", organization: "org-acme", role: "member" }],
});
/** Of another organization. */
export const EVE = user("user-eve", { organizations: [{ id: "org-other", role: "owner" }] });
export const ADMIN = user("user-root", { globalRoles: ["system_admin"] });
export const SUPPORT = user("user-sue", { globalRoles: ["support"] });
export const AUDITOR = user("user-aud", { globalRoles: ["auditor"] });

/** Whether the schema lets anybody ask that. */
export function knows(action: Action, type: ResourceType): boolean {
  return book.questions.includes(`${action} ${RESOURCE_ENTITIES[type]}`);
}

/** The policy that lets somebody, or `no` and the one that does not. */
export function verdict(subject: Subject, action: Action, resource: Resource): string {
  const { allowed, policy } = authorize(subject, action, resource);
  return allowed ? policy : `no: ${policy}`;
}
