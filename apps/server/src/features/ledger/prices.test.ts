import { NO_USAGE } from "@loom/core";
import { loadCatalogue } from "@loom/llm";
import { describe, expect, it } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { NOON, openTestDatabase } from "./ledger.testing.ts";
import { createPriceStore } from "./price-store.ts";
import { createPrices } from "./prices.ts";

describe.each(engines)("on $name", (engine) => {
  const MILLION_IN = { ...NO_USAGE, inputTokens: 1_000_000 };
  const at = (day: string) => Date.parse(`${day}T00:00:00Z`);

  async function openPrices(home: TestHome) {
    const database = await openTestDatabase(home);
    const store = createPriceStore(
      async () => database,
      () => NOON,
    );
    const prices = createPrices({ store, log: SILENT_LOG, keepsNothing: false });
    await prices.ready();
    return { prices, [Symbol.asyncDispose]: () => database.close() };
  }

  function price(input: number) {
    return { input, output: 2 * input };
  }

  describe("a price", () => {
    it("comes from the catalogue, with its version, where the server has none of its own", async () => {
      await using home = await engine.createEmpty();
      await using opened = await openPrices(home);
      const { source } = await loadCatalogue();
      expect(opened.prices.price("anthropic", "claude-opus-5", MILLION_IN, NOON)).toEqual({
        costMicroUsd: 5_000_000,
        version: `${source.package}@${source.version}`,
      });
      expect(opened.prices.price("anthropic", "made-up", MILLION_IN, NOON)).toBeUndefined();
    });

    it("of the server's own counts at once, from its time on, and has its id as version", async () => {
      await using home = await engine.createEmpty();
      await using opened = await openPrices(home);
      const { prices } = opened;
      const always = await prices.put({ provider: "lab", model: "qwen*", prices: price(100) });
      const later = await prices.put({
        provider: "lab",
        model: "qwen*",
        effectiveFrom: "2026-06-01",
        prices: price(300),
      });
      const of = (day: string) => prices.price("lab", "Qwen3-Coder", MILLION_IN, at(day));
      expect(of("2026-05-31")).toEqual({ costMicroUsd: 100, version: always.id });
      expect(of("2026-06-01")).toEqual({ costMicroUsd: 300, version: later.id });
      await prices.retire(later.id);
      expect(of("2026-06-01")).toEqual({ costMicroUsd: 100, version: always.id });
    });

    it("is never changed: a new one takes its place under a new id", async () => {
      await using home = await engine.createEmpty();
      await using opened = await openPrices(home);
      const { prices } = opened;
      const first = await prices.put({ provider: "lab", model: "m", prices: price(1) });
      const second = await prices.put({ provider: "Lab", model: "M", prices: price(2) });
      expect(second.id).not.toBe(first.id);
      expect((await prices.list()).map(({ id }) => id)).toEqual([second.id]);
      expect(await prices.retire(first.id)).toBeUndefined();
    });

    it("is taken from the most exact pattern, and from the provider's own before that of all", async () => {
      await using home = await engine.createEmpty();
      await using opened = await openPrices(home);
      const { prices } = opened;
      const patterns = ["*", "gpt-*", "*-mini", "*pt-5*", "gpt-5-mini"];
      for (const [index, model] of patterns.entries()) {
        await prices.put({ provider: "lab", model, prices: price(index + 1) });
      }
      await prices.put({ provider: "*", model: "gpt-5-mini", prices: price(99) });
      const cost = (upstream: string, model: string) => prices.price(upstream, model, MILLION_IN)?.costMicroUsd;
      expect(["gpt-5-mini", "x-mini", "gpt-4", "gpt-5-nano", "llama"].map((model) => cost("lab", model))).toEqual([
        5, 3, 2, 4, 1,
      ]);
      expect(cost("elsewhere", "gpt-5-mini")).toBe(99);
    });

    it("of before a price of one's own is the catalogue's", async () => {
      await using home = await engine.createEmpty();
      await using opened = await openPrices(home);
      const { prices } = opened;
      await prices.put({
        provider: "anthropic",
        model: "claude-opus-5",
        effectiveFrom: "2026-09-30",
        prices: price(7),
      });
      expect(prices.price("anthropic", "claude-opus-5", MILLION_IN, NOON)?.costMicroUsd).toBe(5_000_000);
      expect(prices.price("anthropic", "claude-opus-5", MILLION_IN, at("2026-10-01"))?.costMicroUsd).toBe(7);
    });

    it("that another server has set is known after the next reload", async () => {
      await using home = await engine.createEmpty();
      await using one = await openPrices(home);
      await using other = await openPrices(home);
      await one.prices.put({ provider: "lab", model: "m", prices: price(3) });
      expect(other.prices.price("lab", "m", MILLION_IN)).toBeUndefined();
      await other.prices.reload();
      expect(other.prices.price("lab", "m", MILLION_IN)?.costMicroUsd).toBe(3);
    });

    it("is the catalogue's where the database cannot be read", async () => {
      const store = createPriceStore(
        () => Promise.reject(new Error("broken")),
        () => NOON,
      );
      const prices = createPrices({ store, log: SILENT_LOG, keepsNothing: false });
      await prices.ready();
      expect(prices.price("anthropic", "claude-opus-5", MILLION_IN, NOON)?.costMicroUsd).toBe(5_000_000);
      expect(prices.ready()).toBeUndefined();
    });
  });
});
