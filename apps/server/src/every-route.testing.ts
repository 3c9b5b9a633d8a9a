// Every route of a server that stays, without the server.
import { buildFeatures } from "./features/index.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { takeServerConfig } from "./index.ts";
import { AuditLine } from "./kit/audit.ts";
import type { Database } from "./kit/database.ts";
import { sqlite, testDatabase } from "./kit/engines.testing.ts";
import { SILENT_LOG } from "./kit/log.ts";
import { createMetrics } from "./kit/metrics.ts";
import type { Authorize } from "./kit/policy.ts";
import type { Route } from "./kit/route.ts";
import { createWebAddress } from "./kit/web-address.ts";
import { temporaryDirectory } from "./testing.ts";

export type EveryRoute = {
  readonly routes: readonly Route[];
  readonly authorize: Authorize;
  readonly database: Database;
  close(): Promise<void>;
};

export async function everyRoute(): Promise<EveryRoute> {
  const home = await testDatabase(sqlite, MIGRATIONS);
  const directory = await temporaryDirectory();
  const database = await home.open();
  const kit = {
    log: SILENT_LOG,
    metrics: createMetrics(),
    audit: new AuditLine(),
    redact: (text: string) => text,
    database: async () => database,
  };
  const features = await buildFeatures(kit, {
    config: takeServerConfig({}),
    version: "0",
    hasOwner: true,
    isStopping: () => false,
    dataDirectory: directory.path,
    web: createWebAddress({ publicUrl: undefined, host: "127.0.0.1", tls: false }),
    conceal: () => {},
  });
  if (features.shared === undefined) throw new Error("This server has no policies.");
  return {
    routes: features.all.flatMap((each) => each.routes),
    authorize: features.shared.authorize,
    database,
    async close() {
      await features.gateway.services.close();
      await directory[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}
