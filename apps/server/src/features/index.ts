import type { Contract } from "@loom/api";
import type { ServerConfig } from "../config.ts";
import type { Feature } from "../kit/feature.ts";
import type { Kit } from "../kit/kit.ts";
import type { MigrationSet } from "../kit/migrations.ts";
import { environmentCredentials } from "./gateway/environment-credentials.ts";
import { gateway } from "./gateway/index.ts";
import { straightRouting } from "./gateway/straight-routing.ts";
import { health } from "./health/index.ts";
import { openApi } from "./openapi/index.ts";
import { owner } from "./owner/index.ts";

/** The tables of all features, also of those that a server does not use: one database fits every server. */
export const MIGRATIONS: readonly MigrationSet[] = [owner].map(({ name, migrations }) => ({
  feature: name,
  migrations,
}));

export type FeatureNeeds = {
  readonly config: ServerConfig;
  readonly version: string;
  /** Whether the owner's token from the database is what lets somebody in. */
  readonly hasOwner: boolean;
  readonly isStopping: () => boolean;
  /** Silence towards a client after which a keep-alive is sent, in milliseconds. */
  readonly keepAliveMs?: number | undefined;
};

/** Every capability of the server, one line each; `all` are those in use. */
export function buildFeatures(kit: Kit, needs: FeatureNeeds) {
  const built = {
    gateway: gateway.build(kit, {
      config: needs.config,
      keepAliveMs: needs.keepAliveMs,
      pooled: needs.hasOwner,
      routing: straightRouting(needs.config),
      credentials: environmentCredentials(needs.config.providers),
      askerOf: () => OWNER,
    }),
    owner: owner.build(kit, undefined),
    health: health.build(kit, { isStopping: needs.isStopping, checks: () => all.flatMap((each) => each.health) }),
    openApi: openApi.build(kit, { version: needs.version, contracts: () => all.flatMap(contractsOf) }),
  };
  const all: readonly Feature[] = Object.values(built).filter((each) => needs.hasOwner || each !== built.owner);
  return { ...built, all };
}

const OWNER = { subject: "owner", nodes: [{ kind: "token", id: "owner" }] };

function contractsOf({ routes, rawRoutes }: Feature): readonly Contract[] {
  return [...routes.map((each) => each.contract), ...rawRoutes.flatMap((each) => each.contracts)];
}
