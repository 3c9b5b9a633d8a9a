import type { Attempts, SignIn, Users } from "../../identity-types.ts";
import { SYSTEM_CLOCK } from "../../kit/clock.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { Route } from "../../kit/route.ts";
import type { WebAddress } from "../../kit/web-address.ts";
import type { SessionService } from "../sessions/service.ts";
import { accountRoutes } from "./account-routes.ts";
import { createAttempts } from "./attempts.ts";
import { type DomainClaimRouteNeeds, domainClaimRoutes } from "./domain-claim-routes.ts";
import { createDomainClaims } from "./domain-claims.ts";
import { domainRoutes } from "./domain-routes.ts";
import { createDomains, type OrganizationStates, removeDomainsOf } from "./domains.ts";
import { createFlowStore } from "./flow-store.ts";
import { createFlows } from "./flows.ts";
import { createGithubProvider } from "./github-provider.ts";
import { createIdentityStore } from "./identity-store.ts";
import { type ImpersonationRouteNeeds, impersonationPageRoutes } from "./impersonation-routes.ts";
import { migrations } from "./migrations.ts";
import { createOpenIdProvider } from "./openid-provider.ts";
import { signInRoutes } from "./routes.ts";
import { createSignInService, type SignInOptions } from "./service.ts";
import type { SignInConfig } from "./sign-in-config.ts";
import { createTxtReader, type ReadTxtRecords } from "./txt-records.ts";
import { createWebFlow, type WebFlow } from "./web-flow.ts";

export type SignInNeeds = {
  readonly config: SignInConfig;
  readonly users: Users;
  readonly sessions: SessionService;
  readonly beginSecondFactor: SignInOptions["beginSecondFactor"];
  readonly web: WebAddress;
  /** Whether links are sent by mail. */
  readonly mailLinks: boolean;
  readonly organizations: OrganizationStates;
  /** Asks for the records that prove a domain. Default: by the name servers of the configuration. */
  readonly readTxt?: ReadTxtRecords;
} & Pick<ImpersonationRouteNeeds, "impersonation" | "userOf"> &
  Pick<DomainClaimRouteNeeds, "organizationId" | "requireRecent">;

export type SignInServices = {
  readonly signIn: SignIn;
  readonly attempts: Attempts;
  /** For other ways in: what browsers are told. */
  readonly flow: WebFlow;
  readonly routes: readonly Route[];
  /** Removes what is too old to be of use. */
  tidy(): Promise<void>;
};

/** How people come in: with whom they have an account already. */
export const signIn = defineFeature<SignInServices, SignInNeeds>({
  name: "sign-in",
  migrations,
  onPurge: (_, { database }) => ({
    person: ({ id }) => createIdentityStore(database).removeAllOf(id),
    organization: ({ id }) => removeDomainsOf(database, id),
  }),
  services: ({ database, audit, log }, needs) => {
    const { config, users, sessions, beginSecondFactor, web, mailLinks, impersonation, userOf } = needs;
    const { organizations, organizationId, requireRecent, readTxt = createTxtReader(config.dnsServers) } = needs;
    const clock = SYSTEM_CLOCK;
    const attempts = createAttempts(database, clock.wall);
    const flows = createFlows(createFlowStore(database), clock);
    const domains = createDomains(database, organizations);
    const service = createSignInService({
      providers: config.providers.map((each) =>
        each.type === "github" ? createGithubProvider(each) : createOpenIdProvider(each, clock.monotonic),
      ),
      flows,
      identities: createIdentityStore(database),
      domains,
      attempts,
      users,
      sessions,
      beginSecondFactor,
      signups: config.signups,
      clock,
      audit,
      log,
    });
    const claims = createDomainClaims({
      database,
      readTxt,
      domainsOf: (provider) => config.providers.find(({ name }) => name === provider)?.domains,
      organizations,
      wall: clock.wall,
    });
    const flow = createWebFlow(web, clock.wall);
    const { developmentUser } = config;
    return {
      signIn: service,
      attempts,
      flow,
      routes: [
        ...signInRoutes({ service, sessions, web, flow, developmentUser, mailLinks }),
        ...accountRoutes({ service, sessions, users, flow, developmentUser }),
        ...impersonationPageRoutes({ sessions, flow, impersonation, userOf }),
        ...domainRoutes(service, organizationId, clock.wall),
        ...domainClaimRoutes({ claims, attempts, organizationId, requireRecent }),
      ],
      async tidy() {
        await flows.removeExpired();
        await attempts.removeExpired();
        await claims.removeExpired();
        await domains.removeGone();
      },
    };
  },
  routes: ({ routes }) => routes,
  jobs: ({ tidy }) => [every("1 min", "tidy_sign_ins", tidy, { once: true })],
});
