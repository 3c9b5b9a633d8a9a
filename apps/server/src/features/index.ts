import type { Contract } from "@loom/api";
import type { ServerConfig } from "../config.ts";
import type { Feature } from "../kit/feature.ts";
import type { Kit } from "../kit/kit.ts";
import type { MigrationSet } from "../kit/migrations.ts";
import { budgets } from "./budgets/index.ts";
import { environmentCredentials } from "./gateway/environment-credentials.ts";
import { gateway } from "./gateway/index.ts";
import { straightRouting } from "./gateway/straight-routing.ts";
import { health } from "./health/index.ts";
import { ledger } from "./ledger/index.ts";
import { openApi } from "./openapi/index.ts";
import { owner } from "./owner/index.ts";
import { tokens } from "./tokens/index.ts";

/** The tables of all features, also of those that a server does not use: one database fits every server. */
export const MIGRATIONS: readonly MigrationSet[] = [owner, budgets, tokens, ledger].map(({ name, migrations }) => ({
  feature: name,
  migrations,
}));

export type FeatureNeeds = {
  readonly config: ServerConfig;
  readonly version: string;
  /** Whether the owner's token from the database is what lets somebody in. */
  readonly hasOwner: boolean;
  readonly isStopping: () => boolean;
  /** Where the server keeps files; without it, it keeps nothing. */
  readonly dataDirectory: string | undefined;
  /** Silence towards a client after which a keep-alive is sent, in milliseconds. */
  readonly keepAliveMs?: number | undefined;
};

/** Every capability of the server, one line each; `all` are those in use. */
export function buildFeatures(kit: Kit, needs: FeatureNeeds) {
  const limits = budgets.build(kit, { allowUnpriced: needs.config.allowUnpricedModels });
  const { config, dataDirectory } = needs;
  const books = ledger.build(kit, { config, dataDirectory, stays: needs.hasOwner });
  const built = {
    gateway: gateway.build(kit, {
      config: needs.config,
      keepAliveMs: needs.keepAliveMs,
      pooled: needs.hasOwner,
      routing: straightRouting(needs.config),
      credentials: environmentCredentials(needs.config.providers),
      budgets: needs.hasOwner ? limits.services : undefined,
      ledger: books.services.ledger,
      prices: books.services.prices,
      askerOf: (subject) => ({ subject: subject.type === "owner" ? "owner" : subject.name, nodes: subject.nodes }),
    }),
    owner: owner.build(kit, undefined),
    budgets: limits,
    ledger: books,
    tokens: tokens.build(kit, { limits: limits.services }),
    health: health.build(kit, { isStopping: needs.isStopping, checks: () => all.flatMap((each) => each.health) }),
    openApi: openApi.build(kit, { version: needs.version, contracts: () => all.flatMap(contractsOf) }),
  };
  // Who has one token in memory has nobody to tell apart and to limit.
  const ofOwner: readonly Feature[] = [built.owner, built.budgets, built.tokens];
  const all: readonly Feature[] = Object.values(built).filter((each) => needs.hasOwner || !ofOwner.includes(each));
  return { ...built, all };
}

function contractsOf({ routes, rawRoutes }: Feature): readonly Contract[] {
  return [...routes.map((each) => each.contract), ...rawRoutes.flatMap((each) => each.contracts)];
}
