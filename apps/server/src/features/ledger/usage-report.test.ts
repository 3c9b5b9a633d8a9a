import type { UsageQuery, UsageSums } from "@loom/api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerEntry } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { durationClass, typicalDuration } from "./duration-class.ts";
import { entry, NOON, openTestDatabase } from "./ledger.testing.ts";
import type { LedgerTables } from "./migrations.ts";
import { createLedgerStore } from "./store.ts";
import { questionOf } from "./usage-query.ts";
import { reportUsage } from "./usage-report.ts";

describe.each(engines)("on $name", (engine) => {
  const DAY_MS = 86_400_000;
  const START = NOON - 40 * DAY_MS;

  let home: TestHome;
  let database: Database;
  beforeAll(async () => {
    home = await engine.createEmpty();
    database = await openTestDatabase(home);
  });
  afterAll(async () => {
    await database.close();
    await home[Symbol.asyncDispose]();
  });

  async function fill(entries: readonly LedgerEntry[]): Promise<void> {
    const tables = database.tables<LedgerTables>();
    await tables.deleteFrom("usage").execute();
    await tables.deleteFrom("usage_node").execute();
    await createLedgerStore(database).insert(entries);
  }

  function report(query: UsageQuery, sliceRows = 7) {
    return reportUsage(database, questionOf(query, NOON), { sliceRows });
  }

  const few = fc.constantFrom("a", "b", "c");
  const tokens = fc.oneof(fc.constant(0), fc.nat(1_000_000));
  const someEntry = fc.record({
    // Many in the same millisecond, and on both sides of hours, days and months.
    at: fc.oneof(fc.integer({ min: START, max: NOON }), fc.constantFrom(START, NOON - DAY_MS, NOON)),
    model: few,
    upstream: few,
    subject: few,
    session: fc.option(few, { nil: undefined }),
    credentialId: fc.option(few, { nil: undefined }),
    outcome: fc.constantFrom<LedgerEntry["outcome"]>(
      "completed",
      "failed",
      "cancelled",
      "cut_off",
      "refused",
      "replaced",
    ),
    nodes: fc.uniqueArray(fc.record({ kind: fc.constantFrom("token", "team"), id: few }), { selector: JSON.stringify }),
    usage: fc.record({
      inputTokens: tokens,
      outputTokens: tokens,
      cacheReadTokens: tokens,
      cacheWriteTokens: tokens,
      cacheWriteLongTokens: tokens,
      reasoningTokens: tokens,
    }),
    costMicroUsd: fc.option(fc.nat(1e9), { nil: undefined }),
    estimated: fc.boolean(),
  });

  const isReplaced = ({ outcome }: LedgerEntry) => outcome === "replaced";

  /** The same sums, by hand. */
  function naive(entries: readonly LedgerEntry[]): Partial<UsageSums> {
    const sum = (read: (entry: LedgerEntry) => number) => entries.reduce((total, each) => total + read(each), 0);
    const count = (is: (entry: LedgerEntry) => boolean) => entries.filter(is).length;
    return {
      requests: entries.length - count(isReplaced),
      errors: count(({ outcome }) => outcome === "failed" || outcome === "cut_off"),
      cancelled: count(({ outcome }) => outcome === "cancelled"),
      refused: count(({ outcome }) => outcome === "refused"),
      tokens: {
        input: sum(({ usage }) => usage.inputTokens),
        output: sum(({ usage }) => usage.outputTokens),
        cacheRead: sum(({ usage }) => usage.cacheReadTokens),
        cacheWrite: sum(({ usage }) => usage.cacheWriteTokens),
        cacheWriteLong: sum(({ usage }) => usage.cacheWriteLongTokens),
        reasoning: sum(({ usage }) => usage.reasoningTokens),
      },
      costMicroUsd: sum(({ costMicroUsd }) => costMicroUsd ?? 0),
      unpriced: count(
        ({ costMicroUsd, usage }) =>
          costMicroUsd === undefined &&
          usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens > 0,
      ),
      estimated: count((each) => each.estimated && !isReplaced(each)),
      replaced: count(isReplaced),
    };
  }

  type Keys = (entry: LedgerEntry) => readonly (string | null)[];
  const iso = ({ at }: LedgerEntry) => new Date(at).toISOString();
  const teams = ({ nodes }: LedgerEntry) => nodes.flatMap(({ kind, id }) => (kind === "team" ? [id] : []));

  /** For each dimension: in which groups an entry is. */
  const DIMENSIONS: { readonly [name: string]: Keys } = {
    model: (each) => [each.model],
    upstream: (each) => [each.upstream],
    session: (each) => [each.session ?? null],
    credential: (each) => [each.credentialId ?? null],
    outcome: (each) => [each.outcome],
    hour: (each) => [`${iso(each).slice(0, 13)}:00Z`],
    day: (each) => [iso(each).slice(0, 10)],
    month: (each) => [iso(each).slice(0, 7)],
    "node:team": (each) => (teams(each).length === 0 ? [null] : teams(each)),
  };

  function grouped(entries: readonly LedgerEntry[], names: readonly string[]): Map<string, LedgerEntry[]> {
    const groups = new Map<string, LedgerEntry[]>();
    for (const each of entries) {
      let keys: (string | null)[][] = [[]];
      for (const name of names) {
        const values = DIMENSIONS[name]?.(each) ?? [];
        keys = keys.flatMap((key) => values.map((value) => [...key, value]));
      }
      for (const key of keys) groups.set(JSON.stringify(key), [...(groups.get(JSON.stringify(key)) ?? []), each]);
    }
    return groups;
  }

  describe("a report of usage", () => {
    it("has the sums that adding up by hand gives, for any rows, groups, times and filters", async () => {
      const question = fc.record({
        names: fc.uniqueArray(fc.constantFrom(...Object.keys(DIMENSIONS)), { maxLength: 4 }),
        from: fc.integer({ min: START, max: NOON }),
        to: fc.integer({ min: START, max: NOON + 1 }),
        model: fc.option(few, { nil: undefined }),
        team: fc.option(few, { nil: undefined }),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(someEntry, { maxLength: 60 }),
          question,
          async (fields, { names, from, to, ...filter }) => {
            fc.pre(from < to);
            const entries = fields.map((each, index): LedgerEntry => {
              const { session, credentialId, costMicroUsd, ...rest } = each;
              const { costMicroUsd: _, ...base } = entry(`r${index}`);
              return {
                ...base,
                ...rest,
                ...(session === undefined ? {} : { session }),
                ...(credentialId === undefined ? {} : { credentialId }),
                ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
              };
            });
            await fill(entries);
            const answer = await report({
              groupBy: names.join(","),
              from: new Date(from).toISOString(),
              to: new Date(to).toISOString(),
              model: filter.model,
              node: filter.team === undefined ? undefined : `team:${filter.team}`,
            });
            const asked = entries.filter(
              (each) =>
                each.at >= from &&
                each.at < to &&
                (filter.model === undefined || each.model === filter.model) &&
                (filter.team === undefined || teams(each).includes(filter.team)),
            );
            expect(answer.total).toMatchObject(naive(asked));
            const expected = grouped(asked, names);
            expect(answer.groups.map(({ key }) => JSON.stringify(key)).sort()).toEqual([...expected.keys()].sort());
            for (const group of answer.groups) {
              expect(group).toMatchObject(naive(expected.get(JSON.stringify(group.key)) ?? []));
            }
          },
        ),
        { numRuns: 150 },
      );
    });

    it("has percentiles that are off by less than a tenth", async () => {
      const durations = Array.from({ length: 1_000 }, (_, index) => 1.01 ** index);
      await fill(durations.map((latencyMs, index) => entry(`r${index}`, { latencyMs, firstByteMs: latencyMs / 4 })));
      const { total } = await report({}, 100);
      const within = (value: number | undefined, exact: number) => {
        expect(Math.abs((value ?? 0) / exact - 1)).toBeLessThan(0.1);
      };
      within(total.latencyMs?.p50, 1.01 ** 499);
      within(total.latencyMs?.p95, 1.01 ** 949);
      within(total.firstByteMs?.p95, 1.01 ** 949 / 4);
    });

    it("measures requests, and not the attempts that others took the place of", async () => {
      const lost = { outcome: "replaced", latencyMs: 60_000, costMicroUsd: 40, estimated: true } as const;
      await fill([entry("r1", { latencyMs: 100 }), entry("r1.1", { ...lost, upstream: "elsewhere" })]);
      const { groups, total } = await report({ groupBy: "upstream" });
      expect(total).toMatchObject({ requests: 1, errors: 0, estimated: 0, replaced: 1, costMicroUsd: 215 });
      expect(total.latencyMs?.p95).toBeLessThan(110);
      expect(groups).toMatchObject([
        { key: ["anthropic"], requests: 1, replaced: 0, costMicroUsd: 175 },
        { key: ["elsewhere"], requests: 0, replaced: 1, costMicroUsd: 40, latencyMs: null },
      ]);
    });

    it("says that nothing was measured where nothing was", async () => {
      const { firstByteMs: _, ...without } = entry("r1");
      await fill([without]);
      expect((await report({})).total).toMatchObject({ firstByteMs: null, latencyMs: { p50: expect.any(Number) } });
      await fill([]);
      expect(await report({ groupBy: "model" })).toMatchObject({
        groups: [],
        more: 0,
        total: { requests: 0, latencyMs: null },
      });
    });

    it("has the most expensive groups first and says how many are left out", async () => {
      await fill(["a", "b", "c"].map((model, index) => entry(model, { model, costMicroUsd: index })));
      const answer = await report({ groupBy: "model", limit: 2 });
      expect(answer.groups.map(({ key }) => key)).toEqual([["c"], ["b"]]);
      expect(answer).toMatchObject({ more: 1, total: { requests: 3 } });
    });

    it("has times in their order", async () => {
      const days = [2, 0, 1].map((ago, index) => entry(`r${index}`, { at: NOON - ago * DAY_MS, costMicroUsd: index }));
      await fill(days);
      const { groups } = await report({ groupBy: "model,day" });
      expect(groups.map(({ key }) => key[1])).toEqual(["2026-09-21", "2026-09-22", "2026-09-23"]);
    });

    it.each<[UsageQuery, string]>([
      [{ groupBy: "colour" }, "groupBy"],
      [{ groupBy: "model,model" }, "groupBy"],
      [{ groupBy: "node:" }, "groupBy"],
      [{ groupBy: "model,upstream,subject,session,client,route" }, "groupBy"],
      [{ from: "2026-09-23", to: "2026-09-23" }, "from"],
    ])("refuses %j and names the field", (query, field) => {
      expect(() => questionOf(query, NOON)).toThrow(`The field ${field} `);
    });
  });

  it("a class of duration stands for what is in it, to less than a tenth", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.0625, max: 1e7, noNaN: true }), (ms) => {
        expect(Math.abs(typicalDuration(durationClass(ms)) / ms - 1)).toBeLessThan(0.1);
      }),
    );
  });
});
