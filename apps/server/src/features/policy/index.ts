import { defineFeature } from "../../kit/feature.ts";
import type { Authorize } from "../../kit/policy.ts";
import { createAuthorize } from "./cached-authorize.ts";
import { readPolicyBook } from "./policy-book.ts";
import { policyFiles } from "./policy-files.ts";

export type PolicyServices = { readonly authorize: Authorize };

/** Who may do what, by the policies of the folder `apps/server/policies`. @throws PolicyError where they do not fit */
export const policy = defineFeature<PolicyServices>({
  name: "policy",
  services: () => ({ authorize: createAuthorize(readPolicyBook(policyFiles()).policies) }),
});
