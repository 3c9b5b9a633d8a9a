import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const tokens = {
  list: defineContract({
    method: "GET",
    path: "/api/tokens",
    operation: "listTokens",
    summary: "The access tokens, revoked ones included",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/tokens.ts").then((schemas) => schemas.listTokens),
  }),
  create: defineContract({
    method: "POST",
    path: "/api/tokens",
    operation: "createToken",
    summary: "Make an access token; its answer is the only place where it can be read",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/tokens.ts").then((schemas) => schemas.createToken),
  }),
  revoke: defineContract({
    method: "DELETE",
    path: "/api/tokens/{id}",
    operation: "revokeToken",
    summary: "Void an access token for good",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/tokens.ts").then((schemas) => schemas.revokeToken),
  }),
} as const;
