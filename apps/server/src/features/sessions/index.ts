import type { Users } from "../../identity-types.ts";
import { SYSTEM_CLOCK } from "../../kit/clock.ts";
import type { Countries } from "../../kit/countries.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { purgeSessions } from "./purge-person.ts";
import { sessionRoutes } from "./routes.ts";
import { createSessionService, type SessionLimits, type SessionService } from "./service.ts";
import { createSessionStore } from "./store.ts";
import { createTickets, type Tickets } from "./tickets.ts";

export type SessionNeeds = {
  readonly users: Users;
  readonly limits: SessionLimits;
  readonly countries: Countries;
};

export type SessionServices = SessionService & {
  readonly tickets: Tickets;
  /** Reads the file of countries again if it has changed. */
  refreshCountries(): Promise<void>;
};

/** Who is signed in: on the web by a cookie, from the command line and editors by a token. */
export const sessions = defineFeature<SessionServices, SessionNeeds>({
  name: "sessions",
  migrations,
  onPurge: (_, { database }) => ({ person: purgeSessions(database), organization: "nothing" }),
  services: ({ database, audit, log }, { users, limits, countries }) => {
    const clock = SYSTEM_CLOCK;
    const store = createSessionStore(database);
    const { countryOf, refresh } = countries;
    const service = createSessionService({ store, clock, audit, log, users, limits, countryOf });
    const tickets = createTickets({ database, sessions: service, wall: clock.wall });
    return { ...service, tickets, refreshCountries: refresh };
  },
  routes: sessionRoutes,
  jobs: (service) => [
    every("1 s", "follow_session_ends", () => service.followEnds()),
    every("1 min", "save_session_uses", () => service.saveUses()),
    every("1 min", "purge_tickets", () => service.tickets.removeExpired(), { once: true }),
    every("1 min", "refresh_countries", () => service.refreshCountries()),
    every("1 h", "purge_sessions", () => service.purge(), { once: true }),
  ],
});
