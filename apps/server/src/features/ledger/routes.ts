import { api, type PriceOverride, usageCsv } from "@loom/api";
import type { Database } from "../../kit/database.ts";
import { DatabaseError } from "../../kit/database-error.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import type { PriceService } from "./prices.ts";
import type { DurableLedger } from "./service.ts";

export type LedgerRoutesOptions = {
  readonly ledger: DurableLedger;
  readonly prices: PriceService;
  readonly database: () => Promise<Database>;
  readonly now: () => number;
};

export function ledgerRoutes({ ledger, prices, database, now }: LedgerRoutesOptions): Route[] {
  return [
    route(api.usage.get, { action: "read", resource: { type: "usage" } }, async ({ query }) => {
      const [{ questionOf }, { reportUsage }] = await Promise.all([
        import("./usage-query.ts"),
        import("./usage-report.ts"),
      ]);
      const question = questionOf(query, now());
      // Where the rows cannot be stored just now, what is stored is told.
      await ledger.settle().catch(() => undefined);
      const report = await reportUsage(await database().catch(unavailable), question);
      if (query.format !== "csv") {
        return new Reply(JSON.stringify(report), { headers: { "content-type": "application/json" } });
      }
      const headers = {
        "content-type": "text/csv; charset=utf-8; header=present",
        "content-disposition": 'attachment; filename="usage.csv"',
        "x-loom-groups-left-out": String(report.more),
      };
      return new Reply(usageCsv(report), { headers });
    }),
    route(api.prices.list, { action: "administer", resource: { type: "system" } }, async () => ({
      prices: await prices.list().catch(unavailable),
    })),
    route(api.prices.put, { action: "administer", resource: { type: "system" } }, async ({ body, audit }) => {
      const price = await prices.put(body).catch(unavailable);
      await audit({ event: "price.changed", outcome: "success", target: targetOf(price), after: { ...price } });
      return price;
    }),
    route(api.prices.delete, { action: "administer", resource: { type: "system" } }, async ({ params, audit }) => {
      const retired = await prices.retire(params.id).catch(unavailable);
      if (retired === undefined) throw new ProblemError("not_found", "There is no such price in force.");
      await audit({ event: "price.removed", outcome: "success", target: targetOf(retired), before: { ...retired } });
      return retired;
    }),
  ];
}

function targetOf({ id, provider, model }: PriceOverride) {
  return { type: "price", id, name: `${provider}/${model}` } as const;
}

function unavailable(cause: unknown): never {
  if (!(cause instanceof DatabaseError)) throw cause;
  const problem = new ProblemError(
    "unavailable",
    "The server cannot read its ledger: look into its log, or give it a data directory.",
  );
  throw Object.assign(problem, { cause });
}
