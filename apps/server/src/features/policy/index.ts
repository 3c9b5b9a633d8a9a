import type { Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Authorize } from "../../kit/policy.ts";
import { OWNER, type Subject } from "../../kit/subject.ts";
import { builtInPolicies } from "./built-in-policies.ts";
import { createAuthorize } from "./cached-authorize.ts";
import { createExplain } from "./explain.ts";
import { createListFilter } from "./list-filter.ts";
import { migrations } from "./migrations.ts";
import { createFollowedPolicies } from "./organization-policies.ts";
import { type PolicyRouteNeeds, policyRoutes } from "./routes.ts";

export type PolicyServices = PolicyRouteNeeds & {
  readonly authorize: Authorize;
  readonly filter: ListFilter;
};

export type PolicyNeeds = Pick<PolicyRouteNeeds, "organizationId"> & {
  /** Made after the policies that they need. */
  readonly users: () => Users;
};

/** Who may do what, by the policies of the folder `apps/server/policies`. @throws PolicyError where they do not fit */
export const policy = defineFeature<PolicyServices, PolicyNeeds>({
  name: "policy",
  migrations,
  // Who wrote a policy last is an id.
  onPurge: ({ own }) => ({ person: "nothing", organization: ({ id }) => own.removeAllOf(id) }),
  services({ database }, { users, organizationId }) {
    const book = builtInPolicies();
    const own = createFollowedPolicies(database, book);
    const authorize = own.restrict(createAuthorize(book));
    const explain = createExplain({ policies: book.policies, authorize, ownPolicy: (id) => own.find(id) });
    warmUp(authorize);
    return {
      book,
      own,
      explain,
      users,
      organizationId,
      authorize,
      filter: createListFilter(book, () => own.forbids()),
    };
  },
  routes: policyRoutes,
  jobs: ({ own }) => [every("1 s", "follow_organization_policies", () => own.follow())],
});

/** V8 compiles the engine when it is first asked something; a request should not wait for that. */
function warmUp(authorize: Authorize): void {
  const common: Omit<Extract<Subject, { type: "token" }>, "type"> = { id: "", name: "", scopes: [], nodes: [] };
  const subjects: readonly Subject[] = [
    OWNER,
    { ...common, type: "token" },
    { ...common, type: "organization_key", organization: "" },
    {
      ...{ type: "user", id: "", name: "", nodes: [], globalRoles: [], organizations: [], teams: [] },
      via: { type: "session", id: "", kind: "web" },
    },
  ];
  setImmediate(() => {
    for (const subject of subjects) authorize(subject, "use", { type: "model" });
  }).unref();
}
