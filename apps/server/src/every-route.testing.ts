// Every route of a server that stays, without the server.
import { everyFeature } from "./every-feature.testing.ts";
import type { Database } from "./kit/database.ts";
import { sqlite } from "./kit/engines.testing.ts";
import type { Authorize } from "./kit/policy.ts";
import type { Route } from "./kit/route.ts";

export type EveryRoute = {
  readonly routes: readonly Route[];
  readonly authorize: Authorize;
  readonly database: Database;
  close(): Promise<void>;
};

export async function everyRoute(): Promise<EveryRoute> {
  const every = await everyFeature(sqlite);
  return {
    routes: every.features.all.flatMap((each) => each.routes),
    authorize: every.shared.authorize,
    database: every.database,
    close: () => every[Symbol.asyncDispose](),
  };
}
