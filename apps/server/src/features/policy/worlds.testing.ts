// Random people, organizations and things, few of each so that they meet.
import { TOKEN_SCOPES } from "@loom/api";
import fc from "fast-check";
import type { Resource, ResourceType } from "../../kit/policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "../../kit/subject.ts";
import { RESOURCE_ENTITIES } from "./entities.ts";
import { createListFilter } from "./list-filter.ts";
import { OrganizationPolicies } from "./organization-policies.ts";
import type { StoredPolicy } from "./organization-policy-store.ts";
import { authorize, book } from "./policy.testing.ts";

export const USERS = ["user-1", "user-2", "user-3"] as const;
export const ORGANIZATIONS = ["org-1", "org-2", "org-3"] as const;
export const TEAMS = [
  { id: "team-1", organization: "org-1" },
  { id: "team-2", organization: "org-1" },
  { id: "team-3", organization: "org-2" },
] as const;

const scopes = fc.uniqueArray(fc.constantFrom(...TOKEN_SCOPES), { maxLength: 4 });

const organizations = fc.uniqueArray(
  fc.record(
    {
      id: fc.constantFrom(...ORGANIZATIONS),
      role: fc.constantFrom("owner", "admin", "member"),
      asksForFactor: fc.constant(true as const),
    },
    { requiredKeys: ["id", "role"] },
  ),
  { selector: ({ id }) => id, maxLength: 2 },
);

const teams = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom(...TEAMS), fc.constantFrom("maintainer", "member"))
    .map(([team, role]) => ({ ...team, role })),
  { selector: ({ id }) => id, maxLength: 2 },
);

const session = fc.record({
  via: fc.constantFrom("web", "cli", "editor").map((kind) => ({ type: "session", id: "session-1", kind }) as const),
});
const impersonated = session.map((each) => ({ ...each, impersonator: { id: "user-9", name: "admin" } }));
const key = scopes.map((scopes) => ({ via: { type: "key", id: "key-1" } as const, scopes }));

const user: fc.Arbitrary<Subject> = fc
  .tuple(
    fc.constantFrom(...USERS),
    fc.uniqueArray(fc.constantFrom("system_admin", "support", "auditor"), { maxLength: 1 }),
    organizations,
    teams,
    fc.oneof(session, impersonated, key),
    fc.constantFrom({}, { secondFactor: true } as const),
  )
  .map(([id, globalRoles, organizations, teams, means, factor]) => ({
    type: "user",
    id,
    name: id,
    globalRoles,
    organizations,
    teams,
    nodes: [],
    ...means,
    ...factor,
  }));

const organizationKey: fc.Arbitrary<Subject> = fc
  .tuple(fc.constantFrom(...ORGANIZATIONS), scopes)
  .map(([organization, scopes]) => ({
    type: "organization_key",
    id: "key-9",
    name: "robot",
    organization,
    scopes,
    nodes: [],
  }));

const token: fc.Arbitrary<Subject> = scopes.map((scopes) => ({
  type: "token",
  id: "token-1",
  name: "ci",
  scopes,
  nodes: [],
}));

export const anySubject: fc.Arbitrary<Subject> = fc.oneof(
  { weight: 8, arbitrary: user },
  { weight: 2, arbitrary: organizationKey },
  { weight: 1, arbitrary: token },
  { weight: 1, arbitrary: fc.constantFrom(OWNER, ANONYMOUS) },
);

export const anyType: fc.Arbitrary<ResourceType> = fc.constantFrom(
  ...(Object.keys(RESOURCE_ENTITIES) as ResourceType[]),
);

/** What a row of a list says of a thing; ids are given by whoever makes the list. */
export const anyThing: fc.Arbitrary<Omit<Resource, "type" | "id">> = fc.record(
  {
    owner: fc.constantFrom(...USERS, "token-1", "key-9"),
    organization: fc.constantFrom(...ORGANIZATIONS),
    team: fc.constantFrom("team-1", "team-2", "team-3"),
    visibility: fc.constantFrom("private", "team", "organization", "unlisted", "public"),
    sharedWithSupport: fc.boolean(),
  },
  { requiredKeys: ["visibility", "sharedWithSupport"] },
);

/** What organizations might add. */
export const FORBIDS = [
  `forbid (principal, action, resource);`,
  `forbid (principal is User, action == Action::"read", resource) when { principal.roles.contains("support") };`,
  `forbid (principal, action, resource is Thread) when { resource.visibility == "public" };`,
  `forbid (principal, action, resource) when { resource.sharedWithSupport };`,
  `forbid (principal, action, resource) unless { resource has owner && resource.owner == "user-1" };`,
  `forbid (principal is User, action, resource) when { principal has scopes } unless { resource has team };`,
  `forbid (principal is User, action, resource)
   when { if resource has team then !principal.teams.contains(resource.team) else resource.visibility != "private" };`,
  `forbid (principal is User, action, resource) when { !(principal has impersonator) && resource.sharedWithSupport == false };`,
] as const;

export const anyOwnPolicies: fc.Arbitrary<readonly StoredPolicy[]> = fc.uniqueArray(
  fc.record({
    organization: fc.constantFrom(...ORGANIZATIONS),
    name: fc.constantFrom("one", "two"),
    text: fc.constantFrom(...FORBIDS),
    version: fc.constant(1),
    updatedAt: fc.constant("2026-01-01T00:00:00Z"),
    updatedBy: fc.constant("user-1"),
  }),
  { selector: ({ organization, name }) => `${organization}/${name}`, maxLength: 3 },
);

/** The same policies for decisions and for lists. */
export async function decidedWith(policies: readonly StoredPolicy[]) {
  const refuse = async (): Promise<never> => Promise.reject(new Error("Nothing is changed here."));
  const store = {
    revision: async () => 1,
    all: async () => policies,
    put: refuse,
    remove: refuse,
    removeAllOf: refuse,
  };
  const own = new OrganizationPolicies(store, book, () => new Date(0));
  await own.follow();
  return { decide: own.restrict(authorize), filter: createListFilter(book, () => own.forbids()) };
}
