import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Reservation } from "../../gateway-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import type { BudgetService } from "./service.ts";
import { admitted, ask, costing, refused, type TestBudgets, testBudgets } from "./testing.ts";
import { TokenBucket } from "./token-bucket.ts";

describe.each(engines)("on $name", (engine) => {
  const LIMIT = 1_000;
  const databases: { setup: Promise<TestBudgets> | undefined; runs: number } = { setup: undefined, runs: 0 };
  afterAll(async () => (await databases.setup)?.[Symbol.asyncDispose]());
  const CONCURRENCY = 4;

  /** What a server has settled, and how much of it is written down. */
  type Truth = { settled: number; saved: number };
  type Open = { readonly reservation: Reservation; readonly worst: number; readonly server: number };

  const server = fc.nat(1);
  const operation = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("reserve" as const),
        server,
        worst: fc.integer({ min: 0, max: 500 }),
        alsoWorst: fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 3 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("settle" as const),
        pick: fc.nat(20),
        share: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("exchange" as const), server }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), server }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), server }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.integer({ min: -10_000, max: 10_000 }) }),
    },
  );

  test("whatever happens, two servers together never let through more than the limit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40, size: "max" }), async (operations) => {
        await using setup = await shared();
        const node = setup.node();
        const [kind, id] = [node.kind, node.id];
        const wish = (cost: number) => ({ nodes: [node], cost });
        const truth: [Truth, Truth] = [
          { settled: 0, saved: 0 },
          { settled: 0, saved: 0 },
        ];
        const start = (index: 0 | 1) =>
          setup.server({
            onSaved: (microUsd) => {
              truth[index].saved += microUsd;
            },
          });
        const servers: [BudgetService, BudgetService] = [await start(0), await start(1)];
        await servers[0].put(kind, id, { totalMicroUsd: LIMIT, concurrency: CONCURRENCY });
        await servers[1].refresh();
        let open: Open[] = [];
        let lost = 0;
        const of = (index: number): Open[] => open.filter((each) => each.server === index);
        const committed = (index: 0 | 1): number =>
          truth[index].settled + of(index).reduce((sum, { worst }) => sum + worst, 0);

        for (const op of operations) {
          if (op.do === "jump") setup.clock.wallMs += op.ms;
          else if (op.do === "settle") {
            const one = open[op.pick % Math.max(1, open.length)];
            if (one === undefined) continue;
            open = open.filter((each) => each !== one);
            const cost = op.share === null ? undefined : Math.round(one.worst * op.share);
            one.reservation.settle(cost === undefined ? undefined : costing(cost));
            truth[one.server as 0 | 1].settled += cost ?? 0;
          } else {
            const index = op.server as 0 | 1;
            const own = truth[index];
            if (op.do === "exchange") {
              setup.clock.monotonicMs += 1_000;
              setup.clock.databaseMs += 1_000;
              await servers[index].save();
              await servers[index].refresh();
            } else if (op.do === "reserve") {
              const wishes = [op.worst, ...op.alsoWorst];
              // At once, so that they race for the same money.
              const answers = await Promise.all(wishes.map((cost) => ask(servers[index], wish(cost))));
              answers.forEach((admission, each) => {
                if (!admission.ok) return;
                open.push({ reservation: admission.reservation, worst: wishes[each] ?? 0, server: index });
              });
              // Those on SQLite share a file, and no slots: it has one server.
              expect((engine.name === "SQLite" ? of(index) : open).length).toBeLessThanOrEqual(CONCURRENCY);
              expect(committed(0) + committed(1)).toBeLessThanOrEqual(LIMIT + lost);
            } else {
              if (op.do === "restart") {
                for (const { reservation, worst } of of(index)) {
                  reservation.settle(costing(worst));
                  own.settled += worst;
                }
                await servers[index].close();
              } else {
                // What it had not written down is gone, together with what was running.
                lost += own.settled - own.saved;
                own.settled = own.saved;
              }
              open = open.filter((each) => each.server !== index);
              servers[index] = await start(index);
            }
          }
        }

        for (const { reservation, worst, server: index } of open) {
          reservation.settle(costing(worst));
          truth[index as 0 | 1].settled += worst;
        }
        for (const index of [0, 1, 0, 1] as const) {
          await servers[index].save();
          await servers[index].refresh();
        }
        const total = truth[0].settled + truth[1].settled;
        for (const each of servers) expect(each.get(kind, id)?.spent?.totalMicroUsd).toBe(total);
        // Nothing is held any more: all slots are free, those of the dead after a minute.
        setup.clock.pass(61_000);
        for (const each of [...servers, ...servers]) await each.refresh();
        for (let slot = 0; slot < CONCURRENCY; slot += 1) admitted(await ask(servers[0], wish(0)));
      }),
      { numRuns: engine.name === "SQLite" ? 40 : 12 },
    );
  });

  test("what one server has set aside and does not use, another one gets within a second", async () => {
    await using setup = await testBudgets(engine);
    const [here, there] = [await setup.server(), await setup.server()];
    await here.put("token", "owner", { totalMicroUsd: LIMIT });
    await there.refresh();
    admitted(await ask(here, { cost: LIMIT })).reservation.settle(costing(100));
    await here.save();
    const early = refused(await ask(there, { cost: LIMIT - 100 }));
    expect(early).toMatchObject({ reason: "rate", retryAfterMs: 1_000 });
    await here.refresh();
    setup.clock.pass(1_000);
    admitted(await ask(there, { cost: LIMIT - 100 }));
    setup.clock.pass(1_000);
    expect(refused(await ask(here, { cost: 1 })).reason).toBe("money");
  });

  test("where a slice is there already, a request waits for nothing", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { dayMicroUsd: 10 * LIMIT, monthMicroUsd: 100 * LIMIT });
    expect(ask(budgets, { cost: 10 })).toBeInstanceOf(Promise);
    await ask(budgets, { cost: 10 });
    for (let n = 0; n < 100; n += 1) expect(ask(budgets, { cost: 10 })).toMatchObject({ ok: true });
  });

  test("a hundred requests at four servers at once share a budget to the last cent", async () => {
    await using setup = await testBudgets(engine);
    const servers = await Promise.all(Array.from({ length: 4 }, () => setup.server()));
    await servers[0]?.put("token", "owner", { totalMicroUsd: LIMIT });
    for (const each of servers) await each.refresh();
    const admissions = [];
    for (let round = 0; round < 8; round += 1) {
      const asked = Array.from({ length: 100 }, (_, n) => servers[(n + round) % 4]).flatMap((each) => each ?? []);
      admissions.push(...(await Promise.all(asked.map((each) => ask(each, { cost: 7 })))));
      setup.clock.pass(1_000);
      for (const each of servers) await each.refresh();
    }
    const admittedOnes = admissions.flatMap((admission) => (admission.ok ? [admission] : []));
    expect(admittedOnes).toHaveLength(Math.floor(LIMIT / 7));
    for (const { reservation } of admittedOnes) reservation.settle(costing(7));
    for (const each of servers) await each.close();
    const last = await setup.server();
    expect(last.get("token", "owner")?.spent?.totalMicroUsd).toBe(admittedOnes.length * 7);
  });

  test("alone, a server never lets through more than its limit, whatever the calendar does", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 200 }), async (operations) => {
        run += 1;
        const nodes = [{ kind: "token", id: `token-${run}` }];
        await budgets.put("token", `token-${run}`, { totalMicroUsd: LIMIT });
        let open: { reservation: Reservation; worst: number }[] = [];
        let settled = 0;
        for (const op of operations) {
          if (op.do === "jump") setup.clock.wallMs += op.ms * 1_000;
          else if (op.do === "exchange") await budgets.save();
          else if (op.do === "settle") {
            const one = open[op.pick % Math.max(1, open.length)];
            if (one === undefined) continue;
            open = open.filter((each) => each !== one);
            const cost = op.share === null ? 0 : Math.round(one.worst * op.share);
            one.reservation.settle(costing(cost));
            one.reservation.settle(costing(LIMIT));
            settled += cost;
          } else if (op.do === "reserve") {
            const admission = await ask(budgets, { nodes, cost: op.worst });
            const held = open.reduce((sum, { worst }) => sum + worst, 0);
            expect(admission.ok).toBe(op.worst === 0 || settled + held + op.worst <= LIMIT);
            if (admission.ok) open.push({ reservation: admission.reservation, worst: op.worst });
          }
        }
        expect(budgets.get("token", `token-${run}`)?.spent?.totalMicroUsd).toBe(settled);
        for (const { reservation } of open) reservation.settle();
      }),
      { numRuns: 100 },
    );
  });

  test("in no minute does a bucket give more than two minutes' worth, and after a minute it is full again", () => {
    const step = fc.record({
      ms: fc.integer({ min: -100_000, max: 100_000 }),
      amount: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.array(step, { maxLength: 100 }), (perMinute, steps) => {
        let now = 0;
        const bucket = new TokenBucket(perMinute, now);
        const taken: { at: number; amount: number }[] = [];
        for (const { ms, amount } of steps) {
          now += ms;
          if (ms < 0) taken.length = 0;
          const wait = bucket.waitFor(amount, now);
          expect(wait).toBeLessThanOrEqual(60_000);
          if (wait > 0) continue;
          taken.push({ at: now, amount: bucket.take(amount) });
          const lately = taken.filter(({ at }) => at > now - 60_000).reduce((sum, each) => sum + each.amount, 0);
          expect(lately).toBeLessThanOrEqual(2 * perMinute + 1e-6);
        }
        bucket.level(now);
        expect(bucket.level(now + 60_000)).toBeCloseTo(perMinute, 6);
      }),
    );
  });

  /** One database for many runs: each has a node of its own. */
  async function shared() {
    databases.setup ??= testBudgets(engine);
    const setup = await databases.setup;
    databases.runs += 1;
    const id = `node-${databases.runs}`;
    return {
      clock: setup.clock,
      server: setup.server,
      node: () => ({ kind: "token", id }),
      [Symbol.asyncDispose]: async () => {},
    };
  }
});
