import type { ServerConfig } from "../config.ts";
import type { Budgets, Routing } from "../gateway-types.ts";
import { type Authenticate, authenticateByAny } from "../kit/auth.ts";
import type { Feature } from "../kit/feature.ts";
import type { Kit } from "../kit/kit.ts";
import { budgets } from "./budgets/index.ts";
import { owner } from "./owner/index.ts";
import { routing } from "./routing/index.ts";
import { tokens } from "./tokens/index.ts";

/** What only a server needs that stays and is used by several. */
export type SharedFeatures = {
  readonly all: readonly Feature[];
  readonly budgets: Budgets;
  readonly routing: Routing;
  readonly authenticate: Authenticate;
  /** Says whether this start made the owner's token. @throws TokenFileError, DatabaseError, ConfigError */
  start(owner: { readonly file: string; readonly replace: boolean }): Promise<boolean>;
  stop(): Promise<void>;
};

/** `straight`: where requests go that no route is for. */
export function buildShared(kit: Kit, config: ServerConfig, straight: Routing): SharedFeatures {
  const ofOwner = owner.build(kit, undefined);
  const limits = budgets.build(kit, { allowUnpriced: config.allowUnpricedModels });
  const ofTokens = tokens.build(kit, { limits: limits.services });
  const routes = routing.build(kit, { config, straight });
  return {
    all: [ofOwner, limits, ofTokens, routes],
    budgets: limits.services,
    routing: routes.services,
    authenticate: authenticateByAny(ofOwner.services.authenticate, ofTokens.services.authenticate),
    async start(token) {
      const minted = await ofOwner.services.ensureToken(token);
      await limits.services.load();
      await routes.services.load();
      return minted;
    },
    async stop() {
      await limits.services.close();
      await ofTokens.services.saveUses().catch((error: unknown) => kit.log.warn(String(error)));
    },
  };
}
