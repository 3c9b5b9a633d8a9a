import type { Attempts, Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { Subject } from "../../kit/subject.ts";
import type { WebAddress } from "../../kit/web-address.ts";
import type { SealedSecrets } from "../credentials/sealed-secrets.ts";
import type { SessionService } from "../sessions/service.ts";
import type { WebFlow } from "../sign-in/web-flow.ts";
import { createAppSecrets } from "./app-secrets.ts";
import { migrations } from "./migrations.ts";
import { passkeyRoutes } from "./passkey-routes.ts";
import { createPasskeyStore } from "./passkey-store.ts";
import { createPasskeys, type Passkeys } from "./passkeys.ts";
import { purgeFactors } from "./purge-person.ts";
import { secondFactorRoutes } from "./routes.ts";
import { createSecondFactorService, type SecondFactorService } from "./service.ts";
import { createSecondFactorStore } from "./store.ts";

export type SecondFactorNeeds = {
  readonly users: Users;
  readonly sessions: SessionService;
  readonly secrets: SealedSecrets;
  readonly attempts: Attempts;
  readonly flow: WebFlow;
  /** How browsers reach this server: what passkeys are bound to. */
  readonly originOf: WebAddress["originOf"];
  /** @throws ProblemError for a person who has not signed in lately. */
  readonly requireRecent: (subject: Subject) => Promise<void>;
};

export type SecondFactorFeature = Pick<
  SecondFactorNeeds,
  "users" | "sessions" | "flow" | "originOf" | "requireRecent"
> & {
  readonly service: SecondFactorService;
  readonly passkeys: Passkeys;
  readonly secrets: Pick<SealedSecrets, "remove">;
  tidy(): Promise<void>;
};

/** What somebody has to give besides the way in which he signs in. */
export const secondFactor = defineFeature<SecondFactorFeature, SecondFactorNeeds>({
  name: "second-factor",
  migrations,
  onPurge: ({ secrets }, { database }) => ({ person: purgeFactors(database, secrets), organization: "nothing" }),
  services: ({ database, audit, log }, { users, sessions, secrets, attempts, flow, originOf, requireRecent }) => {
    const store = createPasskeyStore(database);
    const service = createSecondFactorService({
      store: createSecondFactorStore(database),
      secrets: createAppSecrets(secrets, log),
      attempts,
      users,
      sessions,
      audit,
      wall: Date.now,
    });
    return {
      service,
      secrets,
      passkeys: createPasskeys({ store, wall: Date.now }),
      users,
      sessions,
      flow,
      originOf,
      requireRecent,
      async tidy() {
        await service.removeExpired();
        await store.removeExpired(Date.now());
      },
    };
  },
  routes: (feature) => [...secondFactorRoutes(feature), ...passkeyRoutes(feature)],
  jobs: ({ tidy }) => [every("1 min", "tidy_second_factors", tidy, { once: true })],
});
