import { randomUUIDv7 } from "node:crypto";
import type { PriceOverride, PriceOverrideInput, TokenPrices } from "@loom/api";
import type { Database } from "../../kit/database.ts";
import type { LedgerTables, PriceOverrideRow } from "./migrations.ts";

/** Prices of the server's own. A row is never changed, only retired: the ledger names the one that it used. */
export type PriceStore = {
  list(): Promise<readonly PriceOverride[]>;
  /** Retires what is in force for the same provider, model and time. */
  put(input: PriceOverrideInput): Promise<PriceOverride>;
  /** `undefined` where there is no such price in force. */
  retire(id: string): Promise<PriceOverride | undefined>;
};

export function createPriceStore(database: () => Promise<Database>, now: () => number): PriceStore {
  return {
    async list() {
      const rows = await (await database())
        .tables<LedgerTables>()
        .selectFrom("price_override")
        .selectAll()
        .where("retired_at_ms", "is", null)
        .orderBy("provider")
        .orderBy("model_pattern")
        .orderBy("effective_from_ms")
        .execute();
      return rows.map(overrideOf);
    },
    async put({ provider, model, effectiveFrom, prices }) {
      const row: PriceOverrideRow = {
        id: `price-${randomUUIDv7()}`,
        provider: provider.toLowerCase(),
        model_pattern: model.toLowerCase(),
        effective_from_ms: effectiveFrom === undefined ? ALWAYS : Date.parse(effectiveFrom),
        prices: JSON.stringify(prices),
        created_at_ms: now(),
        retired_at_ms: null,
      };
      await (await database()).write<LedgerTables, void>(async (transaction) => {
        await transaction
          .updateTable("price_override")
          .set({ retired_at_ms: now() })
          .where("provider", "=", row.provider)
          .where("model_pattern", "=", row.model_pattern)
          .where("effective_from_ms", "=", row.effective_from_ms)
          .where("retired_at_ms", "is", null)
          .execute();
        await transaction.insertInto("price_override").values(row).execute();
      });
      return overrideOf(row);
    },
    async retire(id) {
      return (await database()).write<LedgerTables, PriceOverride | undefined>(async (transaction) => {
        const row = await transaction
          .selectFrom("price_override")
          .selectAll()
          .where("id", "=", id)
          .where("retired_at_ms", "is", null)
          .executeTakeFirst();
        if (row === undefined) return undefined;
        await transaction.updateTable("price_override").set({ retired_at_ms: now() }).where("id", "=", id).execute();
        return overrideOf(row);
      });
    },
  };
}

/** Part of what makes a price the same, and `null` equals nothing in SQL. */
const ALWAYS = 0;

function overrideOf(row: PriceOverrideRow): PriceOverride {
  const from = Number(row.effective_from_ms);
  return {
    id: row.id,
    provider: row.provider,
    model: row.model_pattern,
    effectiveFrom: from === ALWAYS ? null : new Date(from).toISOString(),
    prices: JSON.parse(row.prices) as TokenPrices,
    createdAt: new Date(Number(row.created_at_ms)).toISOString(),
  };
}
