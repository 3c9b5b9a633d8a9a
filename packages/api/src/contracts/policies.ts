import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const policies = {
  list: defineContract({
    method: "GET",
    path: "/api/orgs/{org}/policies",
    operation: "listOrganizationPolicies",
    summary: "The policies that an organization has added, by name",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/policies.ts").then((schemas) => schemas.listPolicies),
  }),
  get: defineContract({
    method: "GET",
    path: "/api/orgs/{org}/policies/{name}",
    operation: "getOrganizationPolicy",
    summary: "A policy of an organization",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/policies.ts").then((schemas) => schemas.getPolicy),
  }),
  put: defineContract({
    method: "PUT",
    path: "/api/orgs/{org}/policies/{name}",
    operation: "putOrganizationPolicy",
    summary:
      "Add a policy, which can only forbid and only what is in the organization, with If-None-Match: *, or change one, with If-Match",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/policies.ts").then((schemas) => schemas.putPolicy),
  }),
  delete: defineContract({
    method: "DELETE",
    path: "/api/orgs/{org}/policies/{name}",
    operation: "deleteOrganizationPolicy",
    summary: "Remove a policy of an organization. If-Match names the version it removes",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/policies.ts").then((schemas) => schemas.getPolicy),
  }),
  explain: defineContract({
    method: "GET",
    path: "/api/admin/policy/explain",
    operation: "explainPolicy",
    summary: "Why somebody may do something, or may not, and what would be needed",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/policies.ts").then((schemas) => schemas.explainPolicy),
  }),
} as const;
