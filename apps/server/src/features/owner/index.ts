import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { createOwnerService, type OwnerService } from "./service.ts";
import { createOwnerStore } from "./store.ts";

/** The one who runs the server: a token that is made at the first start and known by its hash only. */
export const owner = defineFeature<OwnerService>({
  name: "owner",
  migrations,
  onPurge: "nothing",
  services: ({ database }) => createOwnerService(createOwnerStore(database, () => new Date())),
  jobs: (service) => [every("1 s", "reload_owner_tokens", () => service.reload())],
  health: (service) => [{ name: "owner", run: () => service.reload() }],
});
