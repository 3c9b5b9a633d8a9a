import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Reservation } from "../../gateway-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import type { BudgetService } from "./service.ts";
import { admitted, ask, costing, refused, type TestBudgets, testBudgets } from "./testing.ts";
import { TokenBucket } from "./token-bucket.ts";

// SQLite has one server.
describe.each(engines.filter(({ name }) => name === "PostgreSQL"))(
  "limits that servers on one $name share",
  (engine) => {
    async function twoServers(limits: Parameters<BudgetService["put"]>[2]) {
      const setup = await testBudgets(engine);
      const exchanges: string[][] = [];
      const onExchange = ({ changes }: { readonly changes: readonly { readonly period: string }[] }) =>
        void exchanges.push(changes.map(({ period }) => period));
      const [here, there] = [await setup.server({ onExchange }), await setup.server({ onExchange })];
      await here.put("token", "owner", limits);
      await there.refresh();
      return {
        ...setup,
        here,
        there,
        exchanges,
        both: [here, there] as const,
        async second() {
          setup.clock.pass(1_000);
          for (const each of [here, there]) await each.refresh();
        },
      };
    }

    test("requests per minute: as many as alone, wherever they are asked, and one more for each that has filled up", async () => {
      await using setup = await twoServers({ requestsPerMinute: 10 });
      let passed = 0;
      for (let n = 0; n < 24; n += 1) {
        const admission = await ask(n % 2 === 0 ? setup.here : setup.there);
        if (admission.ok) admission.reservation.settle(costing(0));
        passed += admission.ok ? 1 : 0;
      }
      expect(passed).toBe(10);
      for (const each of setup.both) await each.save();
      await setup.second();
      const last = refused(await ask(setup.there));
      expect(last).toMatchObject({ reason: "rate", retryAfterMs: 5_000 });
      expect(last.message).toBe("The owner may make 10 requests a minute: try again in 5 s.");
      expect(last.headers).toMatchObject({ "retry-after": "5", "x-ratelimit-remaining-requests": "0" });
      setup.clock.pass(5_000);
      admitted(await ask(setup.here));
      refused(await ask(setup.there));
      setup.clock.pass(60_000);
      const full = admitted(await ask(setup.there)).headers;
      expect(full).toMatchObject({ "x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "9" });
    });

    test("tokens per minute: what was not used comes back for all", async () => {
      await using setup = await twoServers({ tokensPerMinute: 2_000 });
      let tokens = 0;
      for (let n = 0; n < 20; n += 1) {
        const admission = await ask(n % 2 === 0 ? setup.here : setup.there, { tokens: 400 });
        if (!admission.ok) continue;
        admission.reservation.settle(costing(0, 305));
        tokens += 305;
        for (const each of setup.both) await each.save();
      }
      expect(tokens).toBe(6 * 305);
      await setup.second();
      expect(refused(await ask(setup.here, { tokens: 2_000 })).headers["x-ratelimit-remaining-tokens"]).toBe("203");
    });

    test("requests at once: the slot of one that has ended is for whoever asks, at once where it is known to be short", async () => {
      await using setup = await twoServers({ concurrency: 2 });
      const admissions = await Promise.all(
        Array.from({ length: 12 }, (_, n) => ask(n % 2 === 0 ? setup.here : setup.there)),
      );
      const running = admissions.flatMap((admission) => (admission.ok ? [admission.reservation] : []));
      expect(running).toHaveLength(2);
      await setup.second();
      expect(refused(await ask(setup.there))).toMatchObject({ reason: "rate", retryAfterMs: 1_000 });
      await setup.second();
      for (const each of running) each.settle();
      for (const each of setup.both) await each.save();
      // One server may have both.
      admitted(await ask(setup.there));
      admitted(await ask(setup.there));
      expect(refused(await ask(setup.here)).message).toBe(
        "The owner may have 2 requests running at once and has 0, and other servers of this Loom 2: try again when one has ended.",
      );
    });

    test("a slot that its server keeps for the next request comes back within a second to one that is asked", async () => {
      await using setup = await twoServers({ concurrency: 1 });
      for (let n = 0; n < 3; n += 1) admitted(await ask(setup.here)).reservation.settle();
      refused(await ask(setup.there));
      await setup.second();
      admitted(await ask(setup.there)).reservation.settle();
    });

    test("a request far from its limits asks the database for nothing", async () => {
      await using setup = await twoServers({ requestsPerMinute: 6_000, tokensPerMinute: 1_000_000, concurrency: 100 });
      admitted(await ask(setup.here, { tokens: 10 })).reservation.settle(costing(0, 10));
      const before = setup.exchanges.length;
      for (let n = 0; n < 300; n += 1) {
        const admission = ask(setup.here, { tokens: 10 });
        expect(admission).toMatchObject({ ok: true });
        admitted(await admission).reservation.settle(costing(0, 10));
      }
      expect(setup.exchanges).toHaveLength(before);
    });

    test("what a dead server had is there again after a minute; one that lives renews it", async () => {
      await using setup = await twoServers({ concurrency: 2 });
      const { reservation } = admitted(await ask(setup.here));
      admitted(await ask(setup.there));
      for (let second = 0; second < 120; second += 1) {
        setup.clock.pass(1_000);
        reservation.touch();
        await setup.here.refresh();
        if (second < 59) refused(await ask(setup.here));
      }
      admitted(await ask(setup.here));
      refused(await ask(setup.here));
    });

    test("while the database is away, what was lent may be used, and then it is said", async () => {
      await using setup = await twoServers({ requestsPerMinute: 80 });
      admitted(await ask(setup.here));
      const table = setup.database.tables<{ budget_hold: { kind: string } }>().schema;
      await table.alterTable("budget_hold").renameTo("budget_elsewhere").execute();
      for (let n = 0; n < 9; n += 1) admitted(await ask(setup.here));
      expect(refused(await ask(setup.here))).toMatchObject({ reason: "unavailable", retryAfterMs: 1_000 });
      await table.alterTable("budget_elsewhere").renameTo("budget_hold").execute();
      admitted(await ask(setup.here));
    });

    test("a limit that comes, changes and goes while requests run holds at once", async () => {
      await using setup = await twoServers({});
      const running = admitted(await ask(setup.here)).reservation;
      await setup.here.put("token", "owner", { concurrency: 1 });
      await setup.here.save();
      await setup.there.refresh();
      refused(await ask(setup.there));
      refused(await ask(setup.here));
      await setup.here.put("token", "owner", { concurrency: 2, requestsPerMinute: 1 });
      admitted(await ask(setup.here)).reservation.settle();
      refused(await ask(setup.here));
      await setup.here.put("token", "owner", { dayMicroUsd: 5 });
      for (let n = 0; n < 5; n += 1) admitted(await ask(setup.here));
      running.settle();
    });

    const RPM = 30;
    const TPM = 3_000;
    const CONCURRENCY = 5;
    const SERVERS = 3;
    const server = fc.nat(SERVERS - 1);
    const operation = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant("ask" as const),
          server,
          tokens: fc.array(fc.integer({ min: 0, max: 1_200 }), { minLength: 1, maxLength: 6 }),
        }),
      },
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant("settle" as const),
          pick: fc.nat(20),
          share: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
        }),
      },
      { weight: 5, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 8_000 }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("save" as const), server }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const), server }) },
    );

    const databases: { setup: Promise<TestBudgets> | undefined; runs: number } = { setup: undefined, runs: 0 };
    afterAll(async () => (await databases.setup)?.[Symbol.asyncDispose]());

    type Open = { readonly reservation: Reservation; readonly taken: number; readonly server: number };

    test("whatever happens, all servers together let through what one bucket would, and nobody is shut out", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 30, size: "max" }), async (operations) => {
          databases.setup ??= testBudgets(engine);
          const setup = await databases.setup;
          databases.runs += 1;
          const nodes = [{ kind: "token", id: `node-${databases.runs}` }];
          const { clock } = setup;
          const servers = await Promise.all(Array.from({ length: SERVERS }, () => setup.server()));
          const [first] = servers as [BudgetService, ...BudgetService[]];
          await first.put("token", nodes[0]?.id ?? "", {
            requestsPerMinute: RPM,
            tokensPerMinute: TPM,
            concurrency: CONCURRENCY,
          });
          for (const each of servers) await each.refresh();
          const now = () => clock.monotonicMs;
          const requests = new TokenBucket(RPM, now());
          const tokens = new TokenBucket(TPM, now());
          let open: Open[] = [];
          let deaths = 0;
          const settle = (one: Open, used: number | undefined): void => {
            open = open.filter((each) => each !== one);
            one.reservation.settle(used === undefined ? undefined : costing(0, used));
            tokens.level(now());
            tokens.correct(one.taken, used ?? 0);
          };
          const pass = async (ms: number, step: number): Promise<void> => {
            for (let rest = ms; rest > 0; rest -= step) {
              clock.pass(Math.min(rest, step));
              for (const { reservation } of open) reservation.touch();
              for (const each of servers) await each.refresh();
            }
          };
          /** Those who have what it needs give it back. */
          const soon = async (target: BudgetService, wanted: number): Promise<Reservation> => {
            let admission = await ask(target, { nodes, tokens: wanted });
            for (let tries = 0; tries < 3 && !admission.ok; tries += 1) {
              await pass(1_000, 1_000);
              admission = await ask(target, { nodes, tokens: wanted });
            }
            return admitted(admission).reservation;
          };
          for (const op of operations) {
            if (op.do === "pass") await pass(op.ms, 2_000);
            else if (op.do === "save") await servers[op.server]?.save();
            else if (op.do === "settle") {
              const one = open[op.pick % Math.max(1, open.length)];
              if (one !== undefined) settle(one, op.share === null ? undefined : Math.round(one.taken * op.share));
            } else if (op.do === "die") {
              open = open.filter((each) => each.server !== op.server);
              deaths += 1;
              servers[op.server] = await setup.server();
            } else {
              const target = servers[op.server] as BudgetService;
              // At once, so that they race for the same.
              const answers = await Promise.all(op.tokens.map((wanted) => ask(target, { nodes, tokens: wanted })));
              answers.forEach((admission, index) => {
                if (!admission.ok) return;
                const levels = [requests.level(now()), tokens.level(now())];
                requests.take(1);
                const taken = tokens.take(op.tokens[index] ?? 0);
                open.push({ reservation: admission.reservation, taken, server: op.server });
                expect(levels[0]).toBeGreaterThan(1 - 0.01);
                expect(levels[1]).toBeGreaterThan(taken - 0.01);
              });
              expect(open.length).toBeLessThanOrEqual(CONCURRENCY);
            }
          }
          for (const one of open) settle(one, undefined);
          if (deaths === 0 && requests.level(now()) >= SERVERS) {
            for (const each of servers) (await soon(each, 0)).settle();
          }
          // Everything has filled up, and the dead are forgotten: whoever is asked gets the whole of it.
          for (const each of servers.slice(1)) {
            await pass(64_000, 32_000);
            const all: Reservation[] = [];
            for (let n = 0; n < CONCURRENCY; n += 1) all.push(await soon(each, TPM / CONCURRENCY));
            for (const reservation of all) reservation.settle(costing(0, TPM / CONCURRENCY));
          }
        }),
        { numRuns: 4 },
      );
    }, 60_000);
  },
);
