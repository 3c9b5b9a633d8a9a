import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const prices = {
  list: defineContract({
    method: "GET",
    path: "/api/admin/prices",
    operation: "listPrices",
    summary: "The server's own prices, which come before those of the catalogue",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/prices.ts").then((schemas) => schemas.listPrices),
  }),
  put: defineContract({
    method: "PUT",
    path: "/api/admin/prices",
    operation: "putPrice",
    summary: "Set a price; it takes the place of one for the same provider, model and time",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/prices.ts").then((schemas) => schemas.putPrice),
  }),
  delete: defineContract({
    method: "DELETE",
    path: "/api/admin/prices/{id}",
    operation: "deletePrice",
    summary: "Retire a price; costs that were made with it stay as they are",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/prices.ts").then((schemas) => schemas.deletePrice),
  }),
} as const;
