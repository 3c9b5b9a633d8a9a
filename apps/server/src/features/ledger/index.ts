import { join } from "node:path";
import type { LedgerFollower } from "../../gateway-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { LedgerConfig } from "./ledger-config.ts";
import { createLedgerMetrics } from "./ledger-metrics.ts";
import type { LostRequests } from "./lost-requests.ts";
import { migrations } from "./migrations.ts";
import { createPriceStore } from "./price-store.ts";
import { createPrices, type PriceService } from "./prices.ts";
import type { FileRequestTrace } from "./request-trace.ts";
import { type LedgerRoutesOptions, ledgerRoutes } from "./routes.ts";
import { DurableLedger, type SaveElsewhere } from "./service.ts";

export type LedgerNeeds = {
  readonly config: { readonly ledger: LedgerConfig };
  readonly dataDirectory: string | undefined;
  /** Where rows go that no disk took when the server ends. */
  readonly saveElsewhere?: SaveElsewhere | undefined;
  /** Whether this server stays. One of a few turns opens no database for its rows, nor for prices of its own. */
  readonly stays: boolean;
  readonly follower?: LedgerFollower | undefined;
  /** What this server has open; and who is charged for what others had open when they died. */
  readonly lost?: { readonly trace: FileRequestTrace; readonly charge: LostRequests["charge"] } | undefined;
};

export type LedgerServices = LedgerRoutesOptions & {
  readonly prices: PriceService;
  /** Accounts for the requests of servers that died. */
  recoverLost(): Promise<void>;
  /** Tells others that this server lives. */
  touchTrace(): void;
};

/** Where `FileRequestTrace` has its files, in the data directory. */
export const TRACE_DIRECTORY = "open-requests";

/** From a row's arrival in the journal to its being moved to the database, in milliseconds. */
const MOVE_MS = 250;
const MOVE_LATER_MS = 30_000;

const JOURNAL_DIRECTORY = "ledger";

/** What every request used and cost: written down off the request's path, never lost, asked for in any grouping. */
export const ledger = defineFeature<LedgerServices, LedgerNeeds>({
  name: "ledger",
  migrations,
  // What was charged to an organization stays in the books, by its id.
  onPurge: (_, { database }) => ({
    async person(person) {
      const { purgeNames } = await import("./purge-person.ts");
      await purgeNames(database)(person);
    },
    organization: "nothing",
  }),
  services: ({ database, log, metrics }, { config, dataDirectory, saveElsewhere, stays, follower, lost }) => {
    const ledger = new DurableLedger({
      ...config.ledger,
      moveMs: stays ? MOVE_MS : MOVE_LATER_MS,
      directory: dataDirectory === undefined ? undefined : join(dataDirectory, JOURNAL_DIRECTORY),
      database,
      follower,
      metrics: createLedgerMetrics(metrics),
      log,
      saveElsewhere,
      isUntraced: lost && (() => lost.trace.isUnwritable),
    });
    return {
      ledger,
      prices: createPrices({
        store: createPriceStore(database, Date.now),
        log,
        keepsNothing: dataDirectory === undefined || !stays,
      }),
      database,
      now: Date.now,
      async recoverLost() {
        if (lost === undefined || dataDirectory === undefined) return;
        const { recoverLostRequests } = await import("./lost-requests.ts");
        await recoverLostRequests({
          directory: join(dataDirectory, TRACE_DIRECTORY),
          owns: (path) => lost.trace.owns(path),
          database,
          follower,
          settle: () => ledger.gather(),
          charge: lost.charge,
          warn: (message, fields) => log.warn(message, fields),
          now: Date.now,
        });
      },
      touchTrace: () => lost?.trace.touch(),
    };
  },
  routes: ledgerRoutes,
  jobs: ({ ledger, prices, recoverLost, touchTrace }) => [
    every("10 s", "reload_prices", () => prices.reload()),
    every("30 s", "recover_ledger_journals", () => ledger.recover()),
    every("20 s", "touch_open_requests", async () => touchTrace()),
    every("30 s", "recover_lost_requests", recoverLost),
    every("1 h", "purge_ledger", (signal) => ledger.purge(signal), { once: true }),
  ],
  health: ({ ledger }) => [
    {
      name: "ledger",
      async run() {
        if (ledger.isDamaged) throw new Error("the database is damaged: restore it from a backup");
        if (!ledger.healthy() || ledger.isAtRisk)
          throw new Error("rows cannot be written: check the disk and the database");
      },
    },
  ],
});
