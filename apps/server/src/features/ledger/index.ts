import { join } from "node:path";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { LedgerConfig } from "./ledger-config.ts";
import { createLedgerMetrics } from "./ledger-metrics.ts";
import { migrations } from "./migrations.ts";
import { createPriceStore } from "./price-store.ts";
import { createPrices, type PriceService } from "./prices.ts";
import { type LedgerRoutesOptions, ledgerRoutes } from "./routes.ts";
import { DurableLedger } from "./service.ts";

export type LedgerNeeds = {
  readonly config: { readonly ledger: LedgerConfig };
  readonly dataDirectory: string | undefined;
  /** Whether prices of the server's own are looked for in the database; a server of one turn opens none for it. */
  readonly ownPrices: boolean;
};

const JOURNAL_DIRECTORY = "ledger";

/** What every request used and cost: written down off the request's path, never lost, asked for in any grouping. */
export const ledger = defineFeature<LedgerRoutesOptions & { readonly prices: PriceService }, LedgerNeeds>({
  name: "ledger",
  migrations,
  services: ({ database, log, metrics }, { config, dataDirectory, ownPrices }) => ({
    ledger: new DurableLedger({
      ...config.ledger,
      directory: dataDirectory === undefined ? undefined : join(dataDirectory, JOURNAL_DIRECTORY),
      database,
      metrics: createLedgerMetrics(metrics),
      log,
    }),
    prices: createPrices({
      store: createPriceStore(database, Date.now),
      log,
      hasOwn: ownPrices && dataDirectory !== undefined,
    }),
    database,
    now: Date.now,
  }),
  routes: ledgerRoutes,
  jobs: ({ ledger, prices }) => [
    every("10 s", "reload_prices", () => prices.reload()),
    every("30 s", "recover_ledger_journals", () => ledger.recover()),
    every("1 h", "purge_ledger", (signal) => ledger.purge(signal)),
  ],
  health: ({ ledger }) => [
    {
      name: "ledger",
      async run() {
        if (!ledger.healthy()) throw new Error("rows cannot be written: check the disk and the database");
      },
    },
  ],
});
