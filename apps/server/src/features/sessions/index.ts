import type { Users } from "../../identity-types.ts";
import { SYSTEM_CLOCK } from "../../kit/clock.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { sessionRoutes } from "./routes.ts";
import { createSessionService, type SessionLimits, type SessionService } from "./service.ts";
import { createSessionStore } from "./store.ts";

export type SessionNeeds = {
  readonly users: Users;
  readonly limits: SessionLimits;
  readonly countryOf: (address: string) => Promise<string | undefined>;
};

/** Who is signed in: on the web by a cookie, from the command line and editors by a token. */
export const sessions = defineFeature<SessionService, SessionNeeds>({
  name: "sessions",
  migrations,
  services: ({ database, audit, log }, needs) =>
    createSessionService({ store: createSessionStore(database), clock: SYSTEM_CLOCK, audit, log, ...needs }),
  routes: sessionRoutes,
  jobs: (service) => [
    every("1 s", "follow_session_ends", () => service.followEnds()),
    every("1 min", "save_session_uses", () => service.saveUses()),
    every("1 h", "purge_sessions", () => service.purge(), { once: true }),
  ],
});
