import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ConfigError } from "@loom/config";
import type { ServerConfig } from "../config.ts";
import type { Budgets, Credentials, LedgerFollower, Routing } from "../gateway-types.ts";
import type { AuditEvent, AuditKeeper } from "../kit/audit.ts";
import { type Authenticate, authenticateByAny } from "../kit/auth.ts";
import { createCountries } from "../kit/countries.ts";
import type { Feature } from "../kit/feature.ts";
import type { Kit } from "../kit/kit.ts";
import type { Authorize } from "../kit/policy.ts";
import { ANONYMOUS, OWNER } from "../kit/subject.ts";
import type { WebAddress } from "../kit/web-address.ts";
import { apiKeys } from "./api-keys/index.ts";
import { type AuditConfig, takeAuditConfig } from "./audit/audit-config.ts";
import { audit } from "./audit/index.ts";
import { LlmEvents } from "./audit/llm-events.ts";
import { SYSTEM } from "./audit/service.ts";
import { budgets } from "./budgets/index.ts";
import { type CredentialNeeds, credentials } from "./credentials/index.ts";
import { straightRouting } from "./gateway/straight-routing.ts";
import { type LedgerNeeds, TRACE_DIRECTORY } from "./ledger/index.ts";
import { FileRequestTrace } from "./ledger/request-trace.ts";
import { magicLink } from "./magic-link/index.ts";
import { mail } from "./mail/index.ts";
import type { MailConfig } from "./mail/mail-config.ts";
import { oauth } from "./oauth/index.ts";
import { owner } from "./owner/index.ts";
import { people } from "./people/index.ts";
import { policy } from "./policy/index.ts";
import { routing } from "./routing/index.ts";
import { secondFactor } from "./second-factor/index.ts";
import { sessions } from "./sessions/index.ts";
import { createRecentSignIn } from "./sessions/recent-sign-in.ts";
import { signIn } from "./sign-in/index.ts";
import { NO_SIGN_IN, type SignInConfig } from "./sign-in/sign-in-config.ts";
import { threads } from "./threads/index.ts";
import { tokens } from "./tokens/index.ts";

/** What only a server needs that stays and is used by several. */
export type SharedFeatures = {
  readonly all: readonly Feature[];
  readonly budgets: Budgets;
  readonly credentials: Credentials;
  /** With the providers that are set up at the moment, which come and go with their credentials. */
  readonly config: ServerConfig;
  readonly routing: Routing;
  readonly authenticate: Authenticate;
  /** Absent where the server was given no directory. */
  readonly audit: AuditKeeper | undefined;
  /** Tells people of what concerns the security of their accounts. */
  hear(event: AuditEvent): void;
  /** Makes events of the audit log of the ledger's rows; absent where that is not wanted. */
  readonly ledgerFollower: LedgerFollower | undefined;
  /** Absent where the server was given no directory. */
  readonly lost: LedgerNeeds["lost"];
  /** By the cookie of a browser. */
  readonly authenticateBrowser: Authenticate;
  readonly authorize: Authorize;
  /** Says whether this start made the owner's token. @throws TokenFileError, DatabaseError, ConfigError */
  start(owner: { readonly file: string; readonly replace: boolean }): Promise<boolean>;
  /** Says whether everything that was spent is written down. */
  stop(): Promise<boolean>;
};

export type SharedNeeds = CredentialNeeds & {
  readonly web: WebAddress;
  readonly signIn?: SignInConfig | undefined;
  readonly mail?: MailConfig | undefined;
  readonly audit?: AuditConfig | undefined;
  readonly version: string;
  /** All of the server. */
  readonly features: () => readonly Feature[];
  /** Brings the ledger's rows of until now to its follower. */
  readonly settleLedger: () => Promise<void>;
};

const NO_MAIL =
  "LOOM_SERVER_MAGIC_LINK is on, and there is no mail: set LOOM_SERVER_SMTP_HOST and the rest, or turn it off.";

/** @throws PolicyError, ConfigError where the policies cannot be used */
export function buildShared(kit: Kit, needs: SharedNeeds): SharedFeatures {
  const signInConfig = needs.signIn ?? NO_SIGN_IN;
  const countries = createCountries({ file: signInConfig.geoipFile, warn: kit.log.warn });
  const { dataDirectory, audit: auditConfig = takeAuditConfig({}), version } = needs;
  const log =
    dataDirectory === undefined
      ? undefined
      : audit.build(kit, {
          config: { audit: auditConfig },
          dataDirectory,
          version,
          placeOf: countries.countryOf,
          gather: needs.settleLedger,
          filter: (...asked) => rules.services.filter(...asked),
          organizationOf: async (org) => (await ofPeople.services.resources.organization({ org }, OWNER))?.id,
        });
  const rules = policy.build(kit, {
    users: () => ofPeople.services.users,
    organizationId: async (org, subject) => (await ofPeople.services.resources.organization({ org }, subject))?.id,
  });
  const ofOwner = owner.build(kit, undefined);
  const trace =
    dataDirectory === undefined
      ? undefined
      : new FileRequestTrace({ directory: join(dataDirectory, TRACE_DIRECTORY), process: randomUUID(), log: kit.log });
  const limits = budgets.build(kit, {
    allowUnpriced: needs.config.allowUnpricedModels,
    trace,
    tokenIdOf: async (idOrName) => (idOrName === "owner" ? idOrName : await ofTokens.services.idOf(idOrName)),
  });
  const ofTokens = tokens.build(kit, { limits: limits.services });
  const ofCredentials = credentials.build(kit, needs);
  const { config } = ofCredentials.services;
  const post = mail.build(kit, { config: needs.mail });
  const ofPeople = people.build(kit, {
    sessions: () => ofSessions.services,
    attempts: () => ofSignIn.services.attempts,
    mail: post.services,
    publicUrl: needs.config.publicUrl,
    filter: rules.services.filter,
    purgeElsewhere: {
      async person(person) {
        for (const { onPurge } of needs.features()) await onPurge?.person(person);
      },
      async organization(organization) {
        for (const { onPurge } of needs.features()) await onPurge?.organization(organization);
      },
      get teams() {
        return needs.features().flatMap(({ onPurge }) => onPurge?.teams ?? []);
      },
    },
    hasSecondFactor: (userId) => ofSecondFactor.services.service.has(userId),
    requireRecent: (person) => requireRecent(person),
  });
  const mailLinks = signInConfig.magicLink ?? post.services.isSetUp;
  if (mailLinks && !post.services.isSetUp) throw new ConfigError(NO_MAIL);
  const ofSessions = sessions.build(kit, {
    users: ofPeople.services.users,
    limits: signInConfig.sessions,
    countries,
  });
  const requireRecent = createRecentSignIn(ofSessions.services, (userId) =>
    ofSecondFactor.services.service.has(userId),
  );
  const ofSignIn = signIn.build(kit, {
    config: signInConfig,
    users: ofPeople.services.users,
    sessions: ofSessions.services,
    beginSecondFactor: (userId, method) => ofSecondFactor.services.service.begin(userId, method),
    web: needs.web,
    mailLinks,
    impersonation: ofPeople.services.impersonation,
    userOf: ofPeople.services.resources.user,
    organizations: ofPeople.services.organizationStates,
    organizationId: async (org) => (await ofPeople.services.resources.organization({ org }, ANONYMOUS))?.id,
    requireRecent,
  });
  const ofSecondFactor = secondFactor.build(kit, {
    users: ofPeople.services.users,
    sessions: ofSessions.services,
    secrets: ofCredentials.services.secrets,
    attempts: ofSignIn.services.attempts,
    flow: ofSignIn.services.flow,
    originOf: needs.web.originOf,
    requireRecent,
  });
  const ofOAuth = oauth.build(kit, {
    sessions: ofSessions.services,
    users: ofPeople.services.users,
    attempts: ofSignIn.services.attempts,
    issuerOf: needs.web.originOf,
    countryOf: countries.countryOf,
    signInPath: (path) => `/auth/sign-in?redirect_to=${encodeURIComponent(path)}`,
  });
  const links = magicLink.build(kit, {
    ...ofSignIn.services,
    users: ofPeople.services.users,
    sessions: ofSessions.services,
    mail: post.services,
    isOn: mailLinks,
    originOf: needs.web.originOf,
    signups: signInConfig.signups,
  });
  const ofApiKeys = apiKeys.build(kit, {
    users: ofPeople.services.users,
    organizationId: async (org) => (await ofPeople.services.resources.organization({ org }, ANONYMOUS))?.id,
    requireRecent,
    filter: rules.services.filter,
    maxLifeMs: signInConfig.apiKeyMaxMs,
    limits: limits.services,
  });
  const ofThreads = threads.build(kit, { filter: rules.services.filter });
  const routes = routing.build(kit, { config, straight: straightRouting(config) });
  return {
    all: [
      ...(log === undefined ? [] : [log]),
      rules,
      ofOwner,
      limits,
      ofTokens,
      ofCredentials,
      routes,
      post,
      ofPeople,
      ofSessions,
      ofSignIn,
      ofSecondFactor,
      ofApiKeys,
      ofOAuth,
      links,
      ofThreads,
    ],
    budgets: limits.services,
    lost: trace && { trace, charge: limits.services.recover },
    credentials: ofCredentials.services.credentials,
    config,
    routing: routes.services,
    audit: log?.services.audit,
    hear: ofPeople.services.watch.hear,
    ledgerFollower:
      log !== undefined && auditConfig.llm
        ? new LlmEvents({
            audit: log.services.audit,
            redact: kit.redact,
            warn: (message, fields) => kit.log.warn(message, fields),
            now: Date.now,
          })
        : undefined,
    authenticate: authenticateByAny(
      ofOwner.services.authenticate,
      ofTokens.services.authenticate,
      ofSessions.services.byBearer,
      ofApiKeys.services.service.authenticate,
    ),
    authenticateBrowser: ofSessions.services.byCookie,
    authorize: rules.services.authorize,
    async start(token) {
      const minted = await ofOwner.services.ensureToken(token);
      await rules.services.own.follow();
      await limits.services.load();
      await ofCredentials.services.follow();
      await routes.services.load();
      await ofPeople.services.feed.follow();
      await ofSessions.services.followEnds();
      await ofApiKeys.services.service.followEnds();
      if (minted) {
        const event = token.replace ? "owner_token.replaced" : "owner_token.created";
        await kit.audit.record({ event, outcome: "success", actor: SYSTEM });
      }
      void kit.audit.record({ event: "server.started", outcome: "success", actor: SYSTEM, details: { version } });
      return minted;
    },
    async stop() {
      await ofPeople.services.watch.close();
      await ofThreads.services.search.close();
      const isSaved = await limits.services.close();
      await ofCredentials.services.close();
      await ofCredentials.services.save({ waits: true }).catch((error: unknown) => kit.log.warn(String(error)));
      await ofTokens.services.saveUses().catch((error: unknown) => kit.log.warn(String(error)));
      await ofApiKeys.services.service.saveUses().catch((error: unknown) => kit.log.warn(String(error)));
      await ofSessions.services.saveUses().catch((error: unknown) => kit.log.warn(String(error)));
      await kit.audit.record({ event: "server.stopped", outcome: "success", actor: SYSTEM, details: { version } });
      await log?.services.audit.close();
      return isSaved;
    },
  };
}
