import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const routes = {
  explain: defineContract({
    method: "GET",
    path: "/api/admin/routes/explain",
    operation: "explainRoute",
    summary: "Whom a request for a model would be sent to, in which order and why",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/routes.ts").then((schemas) => schemas.explainRoute),
  }),
  list: defineContract({
    method: "GET",
    path: "/api/admin/routes",
    operation: "listRoutes",
    summary: "The routes of the file and those set by API",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/routes.ts").then((schemas) => schemas.listRoutes),
  }),
  put: defineContract({
    method: "PUT",
    path: "/api/admin/routes/{name}",
    operation: "putRoute",
    summary: "Set a route, in place of the one of that name; it holds at once. If-Match names the version it replaces",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/routes.ts").then((schemas) => schemas.putRoute),
  }),
  delete: defineContract({
    method: "DELETE",
    path: "/api/admin/routes/{name}",
    operation: "deleteRoute",
    summary: "Take a route away; a route of the file with that name holds again",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/routes.ts").then((schemas) => schemas.deleteRoute),
  }),
} as const;
