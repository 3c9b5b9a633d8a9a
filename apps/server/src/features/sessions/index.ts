import type { Users } from "../../identity-types.ts";
import { SYSTEM_CLOCK } from "../../kit/clock.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { sessionRoutes } from "./routes.ts";
import { createSessionService, type SessionLimits, type SessionService } from "./service.ts";
import { createSessionStore } from "./store.ts";
import { createTickets, type Tickets } from "./tickets.ts";

export type SessionNeeds = {
  readonly users: Users;
  readonly limits: SessionLimits;
  readonly countryOf: (address: string) => Promise<string | undefined>;
};

export type SessionServices = SessionService & { readonly tickets: Tickets };

/** Who is signed in: on the web by a cookie, from the command line and editors by a token. */
export const sessions = defineFeature<SessionServices, SessionNeeds>({
  name: "sessions",
  migrations,
  services: ({ database, audit, log }, needs) => {
    const clock = SYSTEM_CLOCK;
    const service = createSessionService({ store: createSessionStore(database), clock, audit, log, ...needs });
    return { ...service, tickets: createTickets({ database, sessions: service, wall: clock.wall }) };
  },
  routes: sessionRoutes,
  jobs: (service) => [
    every("1 s", "follow_session_ends", () => service.followEnds()),
    every("1 min", "save_session_uses", () => service.saveUses()),
    every("1 min", "purge_tickets", () => service.tickets.removeExpired(), { once: true }),
    every("1 h", "purge_sessions", () => service.purge(), { once: true }),
  ],
});
