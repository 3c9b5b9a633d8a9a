import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { migrations } from "./migrations.ts";
import { tokenRoutes } from "./routes.ts";
import { createTokenService, type TokenLimits, type TokenService } from "./service.ts";
import { createTokenStore } from "./store.ts";

/** Access tokens besides the owner's: each with a name, scopes, limits and an end. */
export const tokens = defineFeature<TokenService, { readonly limits: TokenLimits }>({
  name: "tokens",
  migrations,
  onPurge: "nothing",
  services: ({ database, log }, { limits }) => createTokenService({ store: createTokenStore(database), limits, log }),
  routes: tokenRoutes,
  jobs: (service) => [
    every("1 s", "follow_revocations", () => service.followRevocations()),
    every("10 s", "save_token_uses", () => service.saveUses()),
  ],
});
