import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

const schemas = () => import("../schemas/domains.ts");
const json = { reply: "json", maxBodyBytes: MAX_BODY_BYTES } as const;

/** Mail domains that an organization claims for itself, and proves by a record of theirs. */
export const organizationDomains = {
  list: defineContract({
    ...json,
    method: "GET",
    path: "/api/orgs/{org}/domains",
    operation: "listDomainClaims",
    summary: "The mail domains that an organization has claimed, by name",
    schemas: () => schemas().then(({ listClaims }) => listClaims),
  }),
  claim: defineContract({
    ...json,
    method: "POST",
    path: "/api/orgs/{org}/domains",
    operation: "claimDomain",
    summary: "Say that a mail domain is the organization's; the answer says what record proves it, within a week",
    schemas: () => schemas().then(({ claimDomain }) => claimDomain),
  }),
  get: defineContract({
    ...json,
    method: "GET",
    path: "/api/orgs/{org}/domains/{domain}",
    operation: "getDomainClaim",
    summary: "A mail domain of an organization",
    schemas: () => schemas().then(({ oneClaim }) => oneClaim),
  }),
  prove: defineContract({
    ...json,
    method: "POST",
    path: "/api/orgs/{org}/domains/{domain}/prove",
    operation: "proveDomain",
    summary: "Look for the record that proves a claim",
    schemas: () => schemas().then(({ oneClaim }) => oneClaim),
  }),
  change: defineContract({
    ...json,
    method: "PATCH",
    path: "/api/orgs/{org}/domains/{domain}",
    operation: "changeDomainRule",
    summary:
      "Say whom the people of a proven domain sign in with, and whether with nobody else. If-Match names the version",
    schemas: () => schemas().then(({ changeClaim }) => changeClaim),
  }),
  remove: defineContract({
    ...json,
    method: "DELETE",
    path: "/api/orgs/{org}/domains/{domain}",
    operation: "removeDomainClaim",
    summary: "Give a mail domain up. If-Match names the version",
    schemas: () => schemas().then(({ oneClaim }) => oneClaim),
  }),
} as const;
