import type { IncomingMessage } from "node:http";
import type { Attempts, SignIn, Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { Mail } from "../mail/index.ts";
import type { SessionService } from "../sessions/service.ts";
import type { WebFlow } from "../sign-in/web-flow.ts";
import { migrations } from "./migrations.ts";
import { purgeLinks } from "./purge-person.ts";
import { magicLinkRoutes } from "./routes.ts";
import { createMagicLinkService, type MagicLinkService } from "./service.ts";

export type MagicLinkNeeds = {
  readonly isOn: boolean;
  readonly mail: Mail;
  readonly users: Users;
  readonly signups: "open" | "closed";
  readonly signIn: SignIn;
  readonly attempts: Attempts;
  readonly flow: WebFlow;
  readonly sessions: SessionService;
  readonly originOf: (request: IncomingMessage) => string;
};

export type MagicLinkFeature = Omit<MagicLinkNeeds, "users" | "signups"> & {
  readonly service: MagicLinkService;
  /** Whether a link would let this address in; nobody is told. */
  mayHaveLink(email: string): Promise<boolean>;
};

/** Signing in by a link that comes by mail. */
export const magicLink = defineFeature<MagicLinkFeature, MagicLinkNeeds>({
  name: "magic-link",
  migrations,
  onPurge: (_, { database }) => ({ person: purgeLinks(database), organization: "nothing" }),
  services: ({ database }, { users, signups, ...needs }) => ({
    ...needs,
    service: createMagicLinkService({ database }),
    async mayHaveLink(email) {
      const [user, rule] = await Promise.all([users.byEmail(email), needs.signIn.ruleFor(email)]);
      if (rule?.forced === true) return false;
      return user === undefined ? signups === "open" : user.disabledAt === null && user.deletedAt === null;
    },
  }),
  routes: magicLinkRoutes,
  jobs: ({ service }) => [every("1 min", "purge_magic_links", () => service.purge(), { once: true })],
});
