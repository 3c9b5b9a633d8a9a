import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

const EXPORT_TYPES = ["application/jsonl", "text/csv"] as const;

export const audit = {
  list: defineContract({
    method: "GET",
    path: "/api/admin/audit",
    operation: "listAudit",
    summary: "The audit log, newest first; a page may be short, or empty, while there is a next one",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/audit.ts").then((schemas) => schemas.listAudit),
  }),
  export: defineContract({
    method: "GET",
    path: "/api/admin/audit/export",
    operation: "exportAudit",
    summary: "All of the audit log that fits the filter, newest first, as JSON lines or CSV",
    reply: "text",
    mediaTypes: EXPORT_TYPES,
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/audit.ts").then((schemas) => schemas.exportAudit),
  }),
  listOfOrganization: defineContract({
    method: "GET",
    path: "/api/organizations/{org}/audit",
    operation: "listOrganizationAudit",
    summary: "What concerns an organization, newest first, for its admins",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/audit.ts").then((schemas) => schemas.listOrganizationAudit),
  }),
  exportOfOrganization: defineContract({
    method: "GET",
    path: "/api/organizations/{org}/audit/export",
    operation: "exportOrganizationAudit",
    summary: "All that concerns an organization and fits the filter, as JSON lines or CSV",
    reply: "text",
    mediaTypes: EXPORT_TYPES,
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/audit.ts").then((schemas) => schemas.exportOrganizationAudit),
  }),
} as const;
