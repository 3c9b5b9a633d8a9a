import type { Attempts, Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { Subject } from "../../kit/subject.ts";
import type { SealedSecrets } from "../credentials/sealed-secrets.ts";
import type { SessionService } from "../sessions/service.ts";
import type { WebFlow } from "../sign-in/web-flow.ts";
import { migrations } from "./migrations.ts";
import { secondFactorRoutes } from "./routes.ts";
import { createSecondFactorService, type SecondFactorService } from "./service.ts";
import { createSecondFactorStore } from "./store.ts";

export type SecondFactorNeeds = {
  readonly users: Users;
  readonly sessions: SessionService;
  readonly secrets: SealedSecrets;
  readonly attempts: Attempts;
  readonly flow: WebFlow;
  /** @throws ProblemError for a person who has not signed in lately. */
  readonly requireRecent: (subject: Subject) => Promise<void>;
};

export type SecondFactorFeature = Pick<SecondFactorNeeds, "users" | "sessions" | "flow" | "requireRecent"> & {
  readonly service: SecondFactorService;
};

/** What somebody has to give besides the way in which he signs in. */
export const secondFactor = defineFeature<SecondFactorFeature, SecondFactorNeeds>({
  name: "second-factor",
  migrations,
  services: ({ database, audit }, { users, sessions, secrets, attempts, flow, requireRecent }) => ({
    service: createSecondFactorService({
      store: createSecondFactorStore(database),
      secrets,
      attempts,
      users,
      sessions,
      audit,
      wall: Date.now,
    }),
    users,
    sessions,
    flow,
    requireRecent,
  }),
  routes: secondFactorRoutes,
  jobs: ({ service }) => [every("1 min", "tidy_second_factors", () => service.removeExpired(), { once: true })],
});
