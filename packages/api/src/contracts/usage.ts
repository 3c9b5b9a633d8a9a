import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const usage = {
  get: defineContract({
    method: "GET",
    path: "/api/usage",
    operation: "getUsage",
    summary: "What was used, grouped by anything that the ledger knows",
    reply: "text",
    mediaTypes: ["application/json", "text/csv"],
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/usage.ts").then((schemas) => schemas.getUsage),
  }),
} as const;
