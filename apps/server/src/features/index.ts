import type { Contract } from "@loom/api";
import type { Secret } from "@loom/config";
import type { ServerConfig } from "../config.ts";
import type { Feature } from "../kit/feature.ts";
import type { Kit } from "../kit/kit.ts";
import { nameOf } from "../kit/subject.ts";
import type { WebAddress } from "../kit/web-address.ts";
import type { AuditConfig } from "./audit/audit-config.ts";
import { environmentCredentials } from "./gateway/environment-credentials.ts";
import { gateway } from "./gateway/index.ts";
import { straightRouting } from "./gateway/straight-routing.ts";
import { health } from "./health/index.ts";
import { ledger } from "./ledger/index.ts";
import type { SaveElsewhere } from "./ledger/service.ts";
import type { MailConfig } from "./mail/mail-config.ts";
import { openApi } from "./openapi/index.ts";
import type { SignInConfig } from "./sign-in/sign-in-config.ts";

export type FeatureNeeds = {
  readonly config: ServerConfig;
  readonly version: string;
  /** Whether the owner's token from the database is what lets somebody in. */
  readonly hasOwner: boolean;
  readonly isStopping: () => boolean;
  /** Where the server keeps files; without it, it keeps nothing. */
  readonly dataDirectory: string | undefined;
  readonly web: WebAddress;
  readonly signIn?: SignInConfig | undefined;
  readonly mail?: MailConfig | undefined;
  readonly audit?: AuditConfig | undefined;
  /** Silence towards a client after which a keep-alive is sent, in milliseconds. */
  readonly keepAliveMs?: number | undefined;
  /** Where rows of the ledger go that no disk took when the server ends. */
  readonly saveElsewhere?: SaveElsewhere | undefined;
  /** Tells the redactor of secrets that turn up while the server runs. */
  readonly conceal: (owner: string, secrets: readonly Secret[]) => void;
};

/** Every capability of the server, one line each; `all` are those in use. */
export async function buildFeatures(kit: Kit, needs: FeatureNeeds) {
  const { dataDirectory, keepAliveMs, hasOwner, isStopping, version } = needs;
  // Who has one token in memory has nobody to tell apart and to limit, and does not wait for what does.
  const shared = hasOwner
    ? (await import("./shared.ts")).buildShared(kit, {
        ...needs,
        features: () => all,
        settleLedger: () => books.services.ledger.settle(),
      })
    : undefined;
  const config = shared?.config ?? needs.config;
  const books = ledger.build(kit, {
    config,
    dataDirectory,
    saveElsewhere: needs.saveElsewhere,
    stays: hasOwner,
    follower: shared?.ledgerFollower,
    lost: shared?.lost,
  });
  const common = {
    gateway: gateway.build(kit, {
      config,
      keepAliveMs,
      pooled: hasOwner,
      routing: shared?.routing ?? straightRouting(config),
      credentials: shared?.credentials ?? environmentCredentials(config.providers, needs.conceal),
      budgets: shared?.budgets,
      trace: shared?.lost?.trace,
      ledger: books.services.ledger,
      prices: books.services.prices,
      askerOf: (subject) => ({ subject: nameOf(subject), nodes: subject.nodes }),
      originOf: needs.web.originOf,
    }),
    ledger: books,
    health: health.build(kit, { isStopping, checks: () => all.flatMap((each) => each.health) }),
    openApi: openApi.build(kit, { version, contracts: () => all.flatMap(contractsOf) }),
  };
  const all: readonly Feature[] = [...Object.values(common), ...(shared?.all ?? [])];
  return { ...common, config, shared, all };
}

function contractsOf({ routes, rawRoutes }: Feature): readonly Contract[] {
  return [...routes.map((each) => each.contract), ...rawRoutes.flatMap((each) => each.contracts)];
}
