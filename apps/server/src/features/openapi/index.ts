import { api, type Contract } from "@loom/api";
import { defineFeature } from "../../kit/feature.ts";
import { route } from "../../kit/route.ts";
import type { OpenApiDocument } from "./document.ts";

type OpenApiNeeds = { readonly contracts: () => readonly Contract[]; readonly version: string };

/** The API's description, made from the contracts that the routes themselves are made of, when first asked for. */
export const openApi = defineFeature<{ readonly document: () => Promise<OpenApiDocument> }, OpenApiNeeds>({
  name: "openapi",
  services: (_kit, { contracts, version }) => {
    let document: Promise<OpenApiDocument> | undefined;
    return {
      document: () => {
        document ??= import("./document.ts").then(({ createDocument }) => createDocument(contracts(), version));
        return document;
      },
    };
  },
  routes: ({ document }) => [
    route(api.system.openApi, { action: "read", resource: { type: "system" } }, async () => ({
      ...(await document()),
    })),
  ],
});
