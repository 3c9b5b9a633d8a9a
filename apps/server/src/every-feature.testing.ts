// All features of a server that stays, on a new database and without the server.
import { buildFeatures } from "./features/index.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { takeServerConfig } from "./index.ts";
import { type Engine, testDatabase } from "./kit/engines.testing.ts";
import { testKit } from "./kit/kit.testing.ts";
import { createWebAddress } from "./kit/web-address.ts";
import { temporaryDirectory } from "./testing.ts";

export async function everyFeature(engine: Engine) {
  const home = await testDatabase(engine, MIGRATIONS);
  const directory = await temporaryDirectory();
  const database = await home.open();
  const kit = testKit(database);
  const features = await buildFeatures(kit, {
    config: takeServerConfig({}),
    version: "0",
    hasOwner: true,
    isStopping: () => false,
    dataDirectory: directory.path,
    web: createWebAddress({ publicUrl: undefined, host: "127.0.0.1", tls: false }),
    conceal: () => {},
  });
  const { shared } = features;
  if (shared === undefined) throw new Error("This server does not stay.");
  return {
    features,
    shared,
    audit: kit.audit,
    database,
    async [Symbol.asyncDispose]() {
      features.gateway.services.close();
      await shared.stop();
      await directory[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}
