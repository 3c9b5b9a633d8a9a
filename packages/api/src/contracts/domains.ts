import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const domains = {
  list: defineContract({
    method: "GET",
    path: "/api/admin/domains",
    operation: "listMailDomains",
    summary: "Which mail domains belong to organizations, and whom their people sign in with",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/domains.ts").then((schemas) => schemas.listDomains),
  }),
  put: defineContract({
    method: "PUT",
    path: "/api/admin/domains/{domain}",
    operation: "putMailDomain",
    summary: "Say whose a mail domain is, with whom its people sign in, and whether with nobody else",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/domains.ts").then((schemas) => schemas.putDomain),
  }),
  delete: defineContract({
    method: "DELETE",
    path: "/api/admin/domains/{domain}",
    operation: "deleteMailDomain",
    summary: "Take a mail domain from its organization",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/domains.ts").then((schemas) => schemas.deleteDomain),
  }),
} as const;
