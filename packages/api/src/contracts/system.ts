import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const system = {
  openApi: defineContract({
    method: "GET",
    path: "/api/openapi.json",
    operation: "getOpenApiDocument",
    summary: "This API as an OpenAPI 3.1 document",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/system.ts").then((schemas) => schemas.openApi),
  }),
  healthz: defineContract({
    method: "GET",
    path: "/healthz",
    operation: "getHealth",
    summary: "Whether the process answers",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/system.ts").then((schemas) => schemas.healthz),
  }),
  readyz: defineContract({
    method: "GET",
    path: "/readyz",
    operation: "getReadiness",
    summary: "Whether the server can do its work; 503 while it cannot",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/system.ts").then((schemas) => schemas.readyz),
  }),
  metrics: defineContract({
    method: "GET",
    path: "/metrics",
    operation: "getMetrics",
    summary: "Metrics in the Prometheus text format",
    reply: "text",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/system.ts").then((schemas) => schemas.metrics),
  }),
} as const;
