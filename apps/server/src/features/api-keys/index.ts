import type { Users } from "../../identity-types.ts";
import { SYSTEM_CLOCK } from "../../kit/clock.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Subject } from "../../kit/subject.ts";
import type { KeyLimits } from "./key-limits.ts";
import { migrations } from "./migrations.ts";
import { createKeyPurge } from "./purge.ts";
import { apiKeyRoutes } from "./routes.ts";
import { type ApiKeyService, createApiKeyService } from "./service.ts";
import { createKeyStore } from "./store.ts";

export type ApiKeyNeeds = {
  readonly users: Users;
  /** The id of an organization that is there, by its id or slug. */
  readonly organizationId: (idOrSlug: string) => Promise<string | undefined>;
  /** @throws ProblemError for a person who has not signed in lately. */
  readonly requireRecent: (subject: Subject) => Promise<void>;
  /** What the policies let somebody see of a list. */
  readonly filter: ListFilter;
  /** How long a key may live at most, in milliseconds; absent: for ever. */
  readonly maxLifeMs: number | undefined;
  readonly limits: KeyLimits;
};

export type ApiKeyFeature = Pick<ApiKeyNeeds, "organizationId" | "requireRecent" | "limits"> & {
  readonly service: ApiKeyService;
};

/** Keys of people and of organizations, for programs. */
export const apiKeys = defineFeature<ApiKeyFeature, ApiKeyNeeds>({
  name: "api-keys",
  migrations,
  onPurge: ({ limits }, { database }) => createKeyPurge(database, limits),
  services: ({ database }, { users, maxLifeMs, organizationId, requireRecent, filter, limits }) => ({
    service: createApiKeyService({
      store: createKeyStore(database, filter),
      users,
      isOrganization: async (id) => (await organizationId(id)) === id,
      maxLifeMs,
      limits,
      clock: SYSTEM_CLOCK,
    }),
    organizationId,
    requireRecent,
    limits,
  }),
  routes: apiKeyRoutes,
  jobs: ({ service }) => [
    every("1 s", "follow_api_keys", () => service.followEnds()),
    every("10 s", "save_api_key_uses", () => service.saveUses()),
    every("1 h", "purge_api_keys", () => service.purge(), { once: true }),
  ],
});
