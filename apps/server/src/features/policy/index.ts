import { defineFeature } from "../../kit/feature.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Authorize } from "../../kit/policy.ts";
import { builtInPolicies } from "./built-in-policies.ts";
import { createAuthorize } from "./cached-authorize.ts";
import { createListFilter } from "./list-filter.ts";

export type PolicyServices = { readonly authorize: Authorize; readonly filter: ListFilter };

/** Who may do what, by the policies of the folder `apps/server/policies`. @throws PolicyError where they do not fit */
export const policy = defineFeature<PolicyServices>({
  name: "policy",
  services() {
    const book = builtInPolicies();
    return { authorize: createAuthorize(book), filter: createListFilter(book) };
  },
});
