import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const credentials = {
  list: defineContract({
    method: "GET",
    path: "/api/admin/credentials",
    operation: "listCredentials",
    summary: "The credentials of all providers, and how many of each can be used",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/credentials.ts").then((schemas) => schemas.listCredentials),
  }),
  add: defineContract({
    method: "POST",
    path: "/api/admin/credentials",
    operation: "addCredential",
    summary: "Store a credential, encrypted; it is used at once and cannot be read again",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/credentials.ts").then((schemas) => schemas.addCredential),
  }),
  change: defineContract({
    method: "PATCH",
    path: "/api/admin/credentials/{id}",
    operation: "changeCredential",
    summary: "Enable or disable a credential, or give it another label or weight",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/credentials.ts").then((schemas) => schemas.changeCredential),
  }),
  delete: defineContract({
    method: "DELETE",
    path: "/api/admin/credentials/{id}",
    operation: "deleteCredential",
    summary: "Remove a stored credential for good",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/credentials.ts").then((schemas) => schemas.deleteCredential),
  }),
} as const;
