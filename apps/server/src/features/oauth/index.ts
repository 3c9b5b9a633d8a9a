import type { IncomingMessage } from "node:http";
import type { Attempts, Sessions, Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { purgeGrants } from "./purge-person.ts";
import { oauthRoutes } from "./routes.ts";
import { createOAuthService, type OAuthService } from "./service.ts";
import { createGrantStore } from "./store.ts";

export type OAuthNeeds = {
  readonly sessions: Sessions;
  readonly users: Users;
  readonly attempts: Attempts;
  /** The address under which this request reached the server, without a slash at the end. */
  readonly issuerOf: (request: IncomingMessage) => string;
  /** The country of an address, where it is known. */
  readonly countryOf: (address: string) => Promise<string | undefined>;
  /** Where somebody signs in, to come back to `path`. */
  readonly signInPath: (path: string) => string;
};

export type OAuthFeature = Omit<OAuthNeeds, "sessions"> & {
  readonly service: OAuthService;
};

/** Programs that act for a user: by a code on a device's screen, or through the browser of the same machine. */
export const oauth = defineFeature<OAuthFeature, OAuthNeeds>({
  name: "oauth",
  migrations,
  onPurge: (_, { database }) => ({ person: purgeGrants(database), organization: "nothing" }),
  services: ({ database }, { sessions, ...needs }) => ({
    ...needs,
    service: createOAuthService({ store: createGrantStore(database), sessions }),
  }),
  routes: oauthRoutes,
  jobs: ({ service }) => [every("1 min", "purge_oauth_grants", () => service.purge(), { once: true })],
});
